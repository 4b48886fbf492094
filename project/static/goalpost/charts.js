// Before the theme draws its charts: each begins at zero, so that a change looks as large as it is.
"use strict";

window.Chart.defaults.scales.linear.beginAtZero = true;

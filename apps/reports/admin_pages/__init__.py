"""Pages of client reports: the links, the look, and what the page of a counter shows of them."""

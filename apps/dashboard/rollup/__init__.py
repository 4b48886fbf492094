"""The numbers of the home page: kept in the background, so that the page costs the same at ten million orders.

- **Who writes.** Nobody who takes orders in or sends them: they find nothing to queue on. One worker at a time, for a
  short turn after a tick, counts what has changed and writes it; a fence keeps out one that was thought dead.
- **What a counter has to do** (waiting, held, …) is counted anew each turn out of the partial indexes, which hold just
  that. There is nothing to add to or subtract from, so nothing can go astray.
- **Days** are counted anew as a whole, each time something of them has changed: as they only depend on what is in the
  tables, counting twice does no harm. Which ones have changed is told by the orders that came in since the last look,
  by the uploads that passed since, and by marks (StaleDay) of those that move an order to another day.
- **A turn that is missed or killed** loses nothing: the last look and the days that are still to be counted are moved
  on in one transaction with what was counted.
- **All days of a counter** are counted anew once a day, going back a piece at a time: what no look can tell (a client
  that was erased, a database that was put back) is right again after that. A new counter's past comes the same way.
"""

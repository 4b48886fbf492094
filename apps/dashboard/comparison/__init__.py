"""What was delivered beside what Metrica's reports say, per counter and day. Which figures are honest to compare:

- **Orders by type.** Ours: orders with a delivered status, by the type that their newest delivered status had in the
  file that carried it. Metrica's: orders that it *matched to a visit*, by the type that they have now
  (`ym:s:cdpOrders…`; `cdpOrdersAllOrders` leaves spam out, and so does our `orders`). An order without a visit is with
  us and not with Metrica: this difference is what one looks for.
- **Revenue and profit.** Metrica's cover paid, matched orders, so ours cover paid orders alone, by the newest delivered
  status, and only those in the counter's currency: orders in another one are converted by Metrica at rates that we do
  not know. They are counted apart. Only RUB, USD and EUR are asked for: the reports have no other currency.
- **Goals.** A goal once reached stays reached, so ours are, for each goal, the orders of which *any* delivered status
  reaches it (by what its upload's mapping said, not by today's). Metrica's are reaches in visits. The four CRM goals
  compare like orders do; a JavaScript goal is reached on the site as well, so Metrica's number may rightly be higher.
- **Days.** Metrica's reports are about visits: an order counts on the day of its visit, which lies up to 21 days before
  it. Ours counts on the day of its creation (both on the counter's clock). So a single day seldom agrees and a period
  nearly does, but for orders at its start whose visits lie before it. Shares are taken of periods, never of days.
- **The share matched.** Metrica's orders, spam included, of those of ours that it could bind: delivered for the first
  time within 21 days of their creation. Late ones are counted apart, as one of the causes of a low share.
- **Freshness.** Metrica shows an order up to two hours after its upload. Orders delivered within two hours before
  Metrica was asked are counted (`fresh`) and named beside the numbers; they are not subtracted, as some may be in.

Ours are added up by the nightly task, day by day in flat memory, and only where uploads have passed since; pages read
day figures alone and cost the same at ten million orders.
"""

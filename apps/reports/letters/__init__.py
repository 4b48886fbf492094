"""The weekly letter: when a week is told, to whom, and that nobody gets it twice.

- **One writes the week down.** Who moves the link's `letter_at` on by compare-and-swap marks, in the same transaction,
  every recipient with the week that is due. Two ticks at once, or on two machines: one of them does it.
- **One sends.** An attempt is had by who moves the recipient's `fence` on, which also puts off everybody else for
  longer than an attempt takes. It is committed before anything leaves. What came of it is written under that fence.
- **A worker that is killed in between** leaves an attempt of which nobody knows whether the letter left. It is sent
  again after the wait: rather a second letter than none. Both have one Message-ID, which mailboxes know them by.
- **What fails** goes again after growing waits, some hours long; then the week is given up, and the link's page says
  so. A week that is still open when the next one comes gives way to it.
"""

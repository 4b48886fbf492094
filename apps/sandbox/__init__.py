"""A Metrica that runs here: same endpoints, same strictness, with visits, goal reaches and faults on demand.

It imports `apps.metrica` only, and nothing of Goalpost imports it: Goalpost talks to it over HTTP as to the real one.
"""

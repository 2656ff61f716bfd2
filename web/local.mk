# The dashboard: built from web/ when DASHBOARD is set.

"""`palio bench`: load on the running platform, told as it goes, kept, compared and drawn."""

"""What a cluster needs before and after palio runs in it; the charts' hook Jobs call this."""

"""palio's score service: takes submissions, keeps standings, feeds the boards."""

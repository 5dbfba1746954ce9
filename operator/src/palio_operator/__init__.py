"""palio's operator: makes `Tournament` resources true."""

"""What palio's services share. Nothing enters here until two services need it; it knows no game word."""

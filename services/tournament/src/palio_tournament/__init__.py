"""palio's tournament service."""

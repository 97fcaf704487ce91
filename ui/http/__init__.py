"""The middleware around every page: headers, logs, origins, proxies, certificates."""

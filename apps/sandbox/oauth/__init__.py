"""The sandbox's Yandex OAuth: consent pages, the token endpoint, and what a token may do (authorization, code-url,
screen-code, refresh-client, token-invalidate pages).
"""

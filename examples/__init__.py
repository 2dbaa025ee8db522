"""Bots that show how Cambist is used. They import the client only, as any bot does."""

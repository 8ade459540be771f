"""The portal's pages, server-rendered; they work without JavaScript."""

"""What we call: one file per outside thing, each fulfils a port."""

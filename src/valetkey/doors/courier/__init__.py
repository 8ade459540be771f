"""The door for Courier: authdaemond's socket."""

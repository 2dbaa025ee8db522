"""The command lines: `cambistd` starts the daemon, `cambist` asks it."""

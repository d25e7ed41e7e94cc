"""The commands, one module and one short function each. `ecgenough.cli` loads a module when its command is called."""

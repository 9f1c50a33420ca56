"""What every run works with: processes, checkpoints, memory, its folder and its journal."""

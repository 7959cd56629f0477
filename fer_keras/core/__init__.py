"""What every part uses: errors, files, logs."""

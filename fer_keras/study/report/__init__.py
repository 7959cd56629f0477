"""The report of the study: tables, one page that opens offline, a wandb Report."""

from fer_keras.study.report.writing import (
    markdown,
    read,
    result_line,
    update,
    write,
    write_result_lines,
    write_sections,
)

__all__ = ["markdown", "read", "result_line", "update", "write", "write_result_lines", "write_sections"]

//! Named limits of the control plane: unit in the name, reason beside it.

/// Bytes of one source file; the rule compiler has the same limit for the same reason: a typo, not a program.
pub const SOURCE_FILE_BYTES_MAX: u64 = 64 << 20;
/// Files of one source directory.
pub const SOURCE_FILES_MAX: usize = 10_000;
/// Problems reported at once; more would hide the first ones.
pub const PROBLEMS_MAX: usize = 100;
/// Published bundles kept for rollback.
pub const BUNDLES_KEPT: usize = 20;
/// Bytes of an API request body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Seconds a client may take to send its request.
pub const REQUEST_READ_SECS_MAX: u64 = 10;
/// Rows of a report.
pub const REPORT_ROWS_MAX: usize = 10_000;

//! What list and count calls see of executions, and the language they ask in.

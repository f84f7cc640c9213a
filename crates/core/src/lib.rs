//! Sans-IO state machines of one workflow run

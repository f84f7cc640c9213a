//! Every history that was ever recorded here is one that a server can have written.

use stead::data::history::History;
use stead::testing::violations;
use stead_tests::histories;

#[test]
fn recorded_histories_are_well_formed() {
    let files = std::fs::read_dir(histories()).expect("the folder of histories");
    let mut read = 0;
    for file in files {
        let path = file.expect("a file").path();
        if path.is_dir() {
            continue;
        }
        let json = std::fs::read_to_string(&path).expect("a text");
        let history = History::from_json(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let violations = violations(&history);
        assert!(violations.is_empty(), "{}: {violations:#?}", path.display());
        read += 1;
    }
    assert!(read > 50, "only {read} histories");
}

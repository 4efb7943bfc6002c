//! Rule sets: draft, check, approve, publish, roll back, back-test.

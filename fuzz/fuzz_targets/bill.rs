//! A day's bill, unpacked: whatever WeChat's file holds, it is read or refused, and its sums hold.

#![no_main]

#[path = "../../src/platform/wechat/bill_csv.rs"]
mod bill_csv;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(bill) = bill_csv::parse(data) {
        assert!(bill.rows.len() <= data.len());
        let _sums = (bill.paid_fen(), bill.refunded_fen());
    }
});

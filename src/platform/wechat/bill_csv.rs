//! Reading a trade bill's CSV (spec 2.8). Pure: the standard library and chrono alone, so that a fuzzer can take this
//! file as it is.
//!
//! The `csv` crate does not fit: a value begins with a back-tick, ends before `` ,` `` and may hold commas and quotes, so
//! neither a one-byte delimiter nor a quote character describes it.

use chrono::NaiveDateTime;

/// What the file begins with.
const BOM: &str = "\u{feff}";
/// The first word of the summary's column names.
const SUMMARY: &str = "总交易单数";

/// A day's trades, and what WeChat says their sums are; both were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Payments and refunds, as listed.
    pub rows: Vec<BillRow>,
}

impl Bill {
    /// What was paid, fen.
    pub fn paid_fen(&self) -> i64 {
        self.sum(BillKind::Payment, |row| row.total_fen)
    }

    /// What was asked back, fen.
    pub fn refunded_fen(&self) -> i64 {
        self.sum(BillKind::Refund, |row| row.refund_fen)
    }

    fn sum(&self, kind: BillKind, of: impl Fn(&BillRow) -> i64) -> i64 {
        let rows = self.rows.iter().filter(|row| row.kind == kind);
        rows.fold(0, |sum: i64, row| sum.saturating_add(of(row)))
    }
}

/// What a row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillKind {
    /// Money came.
    Payment,
    /// Money went back.
    Refund,
    /// A payment was revoked at a counter.
    Revoked,
}

/// How a refund stands in the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillRefund {
    /// The payer has it.
    Success,
    /// On its way.
    Processing,
    /// It did not arrive.
    Failed,
}

/// One trade. The payer's openid is left in the file: nobody here needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// When, in Beijing's time.
    pub at: NaiveDateTime,
    /// What.
    pub kind: BillKind,
    /// WeChat's number of the payment.
    pub transaction_id: String,
    /// Our number of the order.
    pub out_trade_no: String,
    /// The order's total, fen; zero in a refund's row.
    pub total_fen: i64,
    /// WeChat's number of the refund.
    pub refund_id: Option<String>,
    /// Our number of the refund.
    pub out_refund_no: Option<String>,
    /// What goes back, fen.
    pub refund_fen: i64,
    /// How the refund stands.
    pub refund: Option<BillRefund>,
    /// WeChat's fee in thousandths of a fen; negative where a refund gives it back.
    pub fee_millifen: i64,
}

/// Why a file is no bill. Names a line or a column, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillFault {
    /// Not UTF-8.
    #[error("the bill is not UTF-8")]
    Encoding,
    /// A column is missing.
    #[error("the bill has no column {0}")]
    Column(&'static str),
    /// A value does not read as its column's kind.
    #[error("line {0} of the bill: {1} does not read")]
    Value(usize, &'static str),
    /// A line has not as many values as there are columns.
    #[error("line {0} of the bill has another number of values than columns")]
    Width(usize),
    /// The summary is missing or something follows it.
    #[error("the bill does not end with its summary")]
    Summary,
    /// The rows do not add up to the summary.
    #[error("the rows do not add up to the summary's {0}")]
    Sum(&'static str),
}

/// Yuan as WeChat writes them, exactly, in fen; `None` for a sign, a part of a fen or anything that is no number.
pub(super) fn yuan_to_fen(text: &str) -> Option<i64> {
    scaled(text, 2)
}

/// Yuan with an optional minus and up to five places, in thousandths of a fen.
fn fee(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => scaled(rest, 5).map(|value| -value),
        None => scaled(text, 5),
    }
}

/// A decimal without a sign as an integer of `scale` places; more places are refused.
fn scaled(text: &str, scale: usize) -> Option<i64> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > scale || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<scale$}").parse().ok()
}

/// Reads the unpacked file and compares its rows with its summary.
///
/// # Errors
/// [`BillFault`]; a bill that does not add up is no bill.
pub(super) fn parse(bytes: &[u8]) -> Result<Bill, BillFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| BillFault::Encoding)?;
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let mut lines = lines(text).into_iter().enumerate();
    let (_, head) = lines.next().ok_or(BillFault::Summary)?;
    let columns = Columns::read(head)?;
    let mut bill = Bill::default();
    let mut sums = Sums::default();
    loop {
        let (number, line) = lines.next().ok_or(BillFault::Summary)?;
        if !line.starts_with('`') {
            let (_, values) = lines.next().ok_or(BillFault::Summary)?;
            sums.compare(line, values)?;
            break;
        }
        let number = number.saturating_add(1);
        let values = values(line);
        if values.len() != columns.count {
            return Err(BillFault::Width(number));
        }
        let row = columns.row(number, &values)?;
        sums.add(&columns, number, &values, &row)?;
        bill.rows.push(row);
    }
    lines
        .all(|(_, line)| line.is_empty())
        .then_some(bill)
        .ok_or(BillFault::Summary)
}

/// The lines; where the file ends its lines with CRLF a lone LF belongs to a value.
fn lines(text: &str) -> Vec<&str> {
    if text.contains("\r\n") {
        text.split("\r\n").collect()
    } else {
        text.split('\n').collect()
    }
}

/// The values of a back-ticked line; a comma before a back-tick parts them, any other belongs to its value.
fn values(line: &str) -> Vec<&str> {
    line.strip_prefix('`').unwrap_or(line).split(",`").collect()
}

/// Where each value stands; by name, because WeChat has added columns before.
struct Columns {
    count: usize,
    at: usize,
    state: usize,
    transaction: usize,
    order: usize,
    total: usize,
    settled: Option<usize>,
    refund_id: usize,
    out_refund: usize,
    refund: usize,
    refund_settled: Option<usize>,
    refund_state: Option<usize>,
    fee: Option<usize>,
}

impl Columns {
    fn read(line: &str) -> Result<Self, BillFault> {
        let names = names(line);
        let find = |name: &'static str| names.iter().position(|known| *known == name);
        let must = |name: &'static str| find(name).ok_or(BillFault::Column(name));
        // Files from before coupons had only the settled amounts.
        let total = find("订单金额").map_or_else(|| must("应结订单金额"), Ok)?;
        let refund = find("申请退款金额").map_or_else(|| must("退款金额"), Ok)?;
        Ok(Self {
            count: names.len(),
            at: must("交易时间")?,
            state: must("交易状态")?,
            transaction: must("微信订单号")?,
            order: must("商户订单号")?,
            total,
            settled: find("应结订单金额"),
            refund_id: must("微信退款单号")?,
            out_refund: must("商户退款单号")?,
            refund,
            refund_settled: find("退款金额"),
            refund_state: find("退款状态"),
            fee: find("手续费"),
        })
    }

    fn row(&self, line: usize, values: &[&str]) -> Result<BillRow, BillFault> {
        let value = |at: usize| values.get(at).copied().unwrap_or_default();
        let wrong = |what: &'static str| BillFault::Value(line, what);
        let kind = match value(self.state) {
            "SUCCESS" => BillKind::Payment,
            "REFUND" => BillKind::Refund,
            "REVOKED" => BillKind::Revoked,
            _ => return Err(wrong("交易状态")),
        };
        let number = |at: usize| {
            Some(value(at))
                .filter(|text| !text.is_empty() && *text != "0")
                .map(str::to_owned)
        };
        let refund = match self.refund_state.map(value) {
            Some("SUCCESS") => Some(BillRefund::Success),
            Some("PROCESSING") => Some(BillRefund::Processing),
            Some("") | None => None,
            Some(_) => Some(BillRefund::Failed),
        };
        let row = BillRow {
            at: NaiveDateTime::parse_from_str(value(self.at), "%Y-%m-%d %H:%M:%S")
                .map_err(|_| wrong("交易时间"))?,
            kind,
            transaction_id: number(self.transaction).ok_or(wrong("微信订单号"))?,
            out_trade_no: number(self.order).ok_or(wrong("商户订单号"))?,
            total_fen: yuan_to_fen(value(self.total)).ok_or(wrong("订单金额"))?,
            refund_id: number(self.refund_id),
            out_refund_no: number(self.out_refund),
            refund_fen: yuan_to_fen(value(self.refund)).ok_or(wrong("申请退款金额"))?,
            refund,
            fee_millifen: match self.fee {
                Some(at) => fee(value(at)).ok_or(wrong("手续费"))?,
                None => 0,
            },
        };
        if kind == BillKind::Refund && row.out_refund_no.is_none() {
            return Err(wrong("商户退款单号"));
        }
        Ok(row)
    }
}

/// Column names; they stand without back-ticks, and are taken with them as well.
fn names(line: &str) -> Vec<&str> {
    line.split(',')
        .map(|name| name.trim_start_matches('`').trim())
        .collect()
}

/// What the rows add up to.
#[derive(Default)]
struct Sums {
    rows: i64,
    total: i64,
    settled: Option<i64>,
    refund: i64,
    refund_settled: Option<i64>,
    fee: i64,
}

impl Sums {
    fn add(
        &mut self,
        columns: &Columns,
        line: usize,
        values: &[&str],
        row: &BillRow,
    ) -> Result<(), BillFault> {
        let more = |sum: Option<i64>, at: Option<usize>, name| match at {
            Some(at) => values
                .get(at)
                .and_then(|value| yuan_to_fen(value))
                .map(|fen| Some(sum.unwrap_or_default().saturating_add(fen)))
                .ok_or(BillFault::Value(line, name)),
            None => Ok(None),
        };
        self.settled = more(self.settled, columns.settled, "应结订单金额")?;
        self.refund_settled = more(self.refund_settled, columns.refund_settled, "退款金额")?;
        self.rows = self.rows.saturating_add(1);
        self.total = self.total.saturating_add(row.total_fen);
        self.refund = self.refund.saturating_add(row.refund_fen);
        self.fee = self.fee.saturating_add(row.fee_millifen);
        Ok(())
    }

    fn compare(&self, head: &str, line: &str) -> Result<(), BillFault> {
        let (names, values) = (names(head), values(line));
        if names.first() != Some(&SUMMARY) || names.len() != values.len() {
            return Err(BillFault::Summary);
        }
        for (name, value) in names.iter().zip(values) {
            let (name, told, ours) = match *name {
                SUMMARY => (SUMMARY, value.parse().ok(), Some(self.rows)),
                "订单总金额" => ("订单总金额", yuan_to_fen(value), Some(self.total)),
                "应结订单总金额" => ("应结订单总金额", yuan_to_fen(value), self.settled),
                "申请退款总金额" => {
                    ("申请退款总金额", yuan_to_fen(value), Some(self.refund))
                }
                "退款总金额" => ("退款总金额", yuan_to_fen(value), self.refund_settled),
                "手续费总金额" => ("手续费总金额", fee(value), Some(self.fee)),
                _ => continue,
            };
            // Without rows there is nothing to add up but zeros.
            let ours = ours.unwrap_or_default();
            if told != Some(ours) {
                return Err(BillFault::Sum(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    const HEAD: &str = "交易时间,交易状态,微信订单号,商户订单号,微信退款单号,商户退款单号,退款状态,商品名称,手续费,订单金额,申请退款金额";
    const SUMS: &str = "总交易单数,手续费总金额,订单总金额,申请退款总金额";

    fn bill(rows: &str, sums: &str) -> Result<Bill, BillFault> {
        parse(format!("\u{feff}{HEAD}\r\n{rows}{SUMS}\r\n{sums}\r\n").as_bytes())
    }

    #[test]
    fn a_value_may_hold_commas_quotes_and_line_feeds() {
        let row = "`2026-01-01 08:00:00,`SUCCESS,`42,`A1,`0,`0,`,`保洁,\"3\"\n小时,,`0.60000,`1.10,`0.00\r\n";
        let read = bill(row, "`1,`0.60000,`1.10,`0.00").unwrap();
        assert_eq!((read.paid_fen(), read.rows[0].fee_millifen), (110, 60_000));
    }

    #[test]
    fn a_bill_that_does_not_add_up_is_refused() {
        let row = "`2026-01-01 08:00:00,`SUCCESS,`42,`A1,`0,`0,`,`保洁,`0.60000,`1.10,`0.00\r\n";
        for (sums, name) in [
            ("`2,`0.60000,`1.10,`0.00", "总交易单数"),
            ("`1,`0.50000,`1.10,`0.00", "手续费总金额"),
            ("`1,`0.60000,`1.11,`0.00", "订单总金额"),
            ("`1,`0.60000,`1.10,`0.01", "申请退款总金额"),
        ] {
            assert_eq!(bill(row, sums), Err(BillFault::Sum(name)), "{sums}");
        }
        // Cut off before its summary.
        assert!(parse(format!("{HEAD}\r\n{row}").as_bytes()).is_err());
    }

    #[test]
    fn a_fee_that_comes_back_is_negative_and_a_part_of_a_fen_is_refused() {
        assert_eq!(
            (fee("-0.59000"), fee("0.60"), fee("--1")),
            (Some(-59_000), Some(60_000), None)
        );
        for wrong in [
            "1.005",
            "-1",
            "+1",
            "1.",
            ".5",
            "",
            "1e3",
            "1,000.00",
            "٣",
            "99999999999999999999",
        ] {
            assert_eq!(yuan_to_fen(wrong), None, "{wrong}");
        }
        assert_eq!(yuan_to_fen("1.1"), Some(110));
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(bytes in any::<Vec<u8>>()) {
            let _whatever = parse(&bytes);
        }

        #[test]
        fn fen_survive_being_written_as_yuan(fen in 0_i64..1_000_000_000_000) {
            prop_assert_eq!(yuan_to_fen(&format!("{}.{:02}", fen / 100, fen % 100)), Some(fen));
        }
    }
}

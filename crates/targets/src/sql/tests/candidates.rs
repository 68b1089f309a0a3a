//! Whose rows there are, after a restore.

use gallra_model::receipt::Code;

use super::*;
use crate::driver::Driver;

/// The same register, found by customer number alone.
const BY_CUSTOMER: &str = r#"
sentinel = { table = "customer", key = "customer_no", value = "0" }
anchor = { table = "customer", columns = ["created"] }
wait_seconds = 0
[[table]]
table = "invoice"
key = "customer_no"
by = "customer"
action = "keep"
id = "invoice_no"
[[table]]
table = "customer"
key = "customer_no"
by = "customer"
action = "blank"
columns = ["login_address", "phone"]
"#;

fn found(driver: &Sql) -> Result<Vec<String>, crate::driver::Failure> {
    let mut ids = Vec::new();
    driver.candidates(&mut |selector| {
        ids.push(selector.customer.map(String::from).expect("a customer number"));
        Ok(())
    })?;
    ids.sort();
    Ok(ids)
}

#[test]
fn everybody_with_something_to_erase_is_shown_once_and_the_sentinel_never() {
    let db = Db::new("");
    let driver = db.driver(BY_CUSTOMER);
    assert_eq!(found(&driver).expect("looks"), ["1001", "10010"]);
    db.run("UPDATE customer SET login_address = NULL, phone = '' WHERE customer_no = '1001'");
    assert_eq!(found(&driver).expect("looks"), ["10010"], "a blanked row stays, and is nobody's who came back");
    db.run("INSERT INTO customer VALUES ('../etc', 'x', 'x', '2024-01-01', NULL)");
    assert_eq!(found(&driver).expect("looks"), ["10010"], "no job could select it");
    db.run("DELETE FROM customer WHERE customer_no = '0'");
    assert_eq!(found(&driver).expect_err("no sentinel").code, Code::SentinelMissing);
}

#[test]
fn tables_that_are_found_by_two_kinds_of_id_are_refused() {
    let db = Db::new("");
    assert_eq!(found(&db.driver(MAPPING)).expect_err("two kinds").code, Code::Unsupported);
}

//! `gallra contract merge` and `gallra contract show --customer`: two numbers that turn out to be one customer.

use gallra_wire::v1;
use gallra_wire::v1::customer_service_client::CustomerServiceClient;
use tonic::transport::Channel;

use crate::command::Shown;
use crate::exit::Failure;
use crate::output;

/// Tells a merge, and says what it did or would do.
pub(super) async fn run(channel: Channel, told: v1::MergeCustomersRequest, shown: Shown) -> Result<(), Failure> {
    let dry_run = told.dry_run;
    let answer = CustomerServiceClient::new(channel).merge_customers(told).await?.into_inner();
    let mut lines = numbers(&answer.numbers);
    lines.extend(answer.later.iter().map(|later| ("end", later_line(later))));
    output::one(shown.output, &answer, &lines);
    if answer.again {
        output::note("they are one customer already: nothing was changed");
    } else if dry_run {
        output::note(
            "nothing was changed: without --dry-run they are one customer from then on, and that is not taken apart",
        );
    }
    if !answer.later.is_empty() {
        output::note(
            "what was planned for the customer's own data is later than was said, since the customer has other contracts: tell \
             whoever was promised a day; what was signed for the end has to be signed again",
        );
    }
    Ok(())
}

/// Shows a customer by number.
pub(super) async fn show(channel: Channel, customer: String, shown: Shown) -> Result<(), Failure> {
    let asked = v1::GetCustomerRequest { customer };
    let answer = CustomerServiceClient::new(channel).get_customer(asked).await?.into_inner();
    let mut lines = vec![("customer", answer.id.clone()), ("merged into", answer.merged_into.clone())];
    if answer.numbers.len() > 1 {
        lines.extend(numbers(&answer.numbers));
    }
    lines.push(("contracts", format!("{}, {} active", answer.contracts, answer.active)));
    lines.push(("active of all", answer.active_of_all.to_string()));
    lines.push(("customer's end", answer.ending.clone()));
    output::one(shown.output, &answer, &lines);
    Ok(())
}

/// The head is told apart from the others.
fn numbers(all: &[String]) -> Vec<(&'static str, String)> {
    all.iter().enumerate().map(|(at, id)| (if at == 0 { "one customer" } else { "with" }, id.clone())).collect()
}

fn later_line(later: &v1::LaterEnd) -> String {
    let open = |day: &str| if day.is_empty() { "open".to_owned() } else { day.to_owned() };
    let before = format!("{} ended {}, settled {}", later.before, later.ended_before, open(&later.settled_before));
    if later.request.is_empty() {
        return format!("{before}: taken back, an active contract is the customer's too");
    }
    format!("{before}: now {} ended {}, settled {}", later.request, later.ended, open(&later.settled))
}

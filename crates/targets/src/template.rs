//! Templates of `agent.toml`: how a path or a key follows from a service id or customer number (decision 2). Refuses an
//! unset id, so that a template never widens to everybody.

use gallra_model::receipt::Code;
use gallra_model::selector::Selector;

use crate::driver::Failure;

/// Which id a template asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The service id.
    Service,
    /// The customer number.
    Customer,
}

/// The id that `by` names.
///
/// # Errors
/// [`Code::BadSelector`] when the job does not carry it.
pub fn id_of(selector: &Selector, by: By) -> Result<&str, Failure> {
    let (id, word) = match by {
        By::Service => (&selector.service, "service id"),
        By::Customer => (&selector.customer, "customer number"),
    };
    id.as_ref().map(gallra_model::selector::ExternalId::expose).ok_or_else(|| {
        Failure::new(Code::BadSelector, format!("the job carries no {word}, and this target's template asks for one"))
    })
}

/// Fills `{service}` and `{customer}` in.
///
/// # Errors
/// [`Code::BadSelector`] when the template asks for an id that the job does not carry, asks for none where
/// `must_ask` says that it has to, or has a brace that is no placeholder.
pub fn fill(template: &str, selector: &Selector, must_ask: bool) -> Result<String, Failure> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    let mut asked = false;
    while let Some(open) = rest.find('{') {
        let (plain, tail) = rest.split_at(open);
        filled.push_str(plain);
        let (id, after) = if let Some(after) = tail.strip_prefix("{service}") {
            (id_of(selector, By::Service)?, after)
        } else if let Some(after) = tail.strip_prefix("{customer}") {
            (id_of(selector, By::Customer)?, after)
        } else {
            return Err(Failure::new(
                Code::BadSelector,
                "a template in agent.toml has a brace that is neither {service} nor {customer}",
            ));
        };
        filled.push_str(id);
        asked = true;
        rest = after;
    }
    if must_ask && !asked {
        return Err(Failure::new(
            Code::BadSelector,
            "a template in agent.toml names neither {service} nor {customer}, so it would select everybody",
        ));
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str) -> Selector {
        Selector { service: Some(id.parse().expect("a literal")), customer: None, addresses: Vec::new() }
    }

    #[test]
    fn fills_exactly_and_refuses_to_widen() {
        assert_eq!(fill("www/{service}", &service("anna.example"), true).expect("fills"), "www/anna.example");
        assert_eq!(fill("all", &service("a"), false).expect("fills"), "all");
        for bad in ["all", "{customer}", "{", "{service", "{Service}"] {
            assert!(fill(bad, &service("a"), true).is_err(), "{bad}");
        }
    }
}

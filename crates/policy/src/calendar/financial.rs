//! Financial years: one that ends on the same date every year, and years that were shortened or prolonged (Swedish
//! Accounting Act ch. 3). Owns which year a day falls in; refuses changed years that leave a gap or contradict each other.

use gallra_model::Day;
use serde::Serialize;

use super::{CalendarError, Period, YearEnd, day_after};

/// Longest financial year that the Accounting Act allows, in months (ch. 3 s. 3).
const MAX_MONTHS: &str = "18 months";

/// A financial year that was shortened or prolonged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChangedYear {
    /// Its first day.
    pub begins: Day,
    /// Its last day.
    pub ends: Day,
}

/// A provider's financial years.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FinancialYears {
    end: YearEnd,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<ChangedYear>,
}

/// What is wrong with a changed year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum YearProblem {
    /// It ends before it begins.
    #[error("the financial year ends before it begins")]
    Backwards,
    /// Longer than 18 months.
    #[error("a financial year has at most 18 months (Accounting Act ch. 3 s. 3)")]
    TooLong,
    /// The one before it ends otherwise than on the day before.
    #[error(
        "the year before a changed one ends on the day before it begins, and the changed year before this one ends on another date"
    )]
    Gap,
    /// The last one does not lead to the pack's regular end.
    #[error("after the last changed year every year ends on its date, and fiscal_year_end says another")]
    RegularEnd,
}

impl FinancialYears {
    /// Years that end on `end`, after those that were changed. Before the first changed one, and between two, every year
    /// ends on the date of the day before the next changed year.
    ///
    /// # Errors
    /// The index of a changed year and what is wrong with it.
    pub fn new(end: YearEnd, changed: Vec<ChangedYear>) -> Result<Self, (usize, YearProblem)> {
        let longest: Period = MAX_MONTHS.parse().map_err(|_| (0, YearProblem::TooLong))?;
        let mut before: Option<ChangedYear> = None;
        for (at, year) in changed.iter().enumerate() {
            let wrong = |problem| Err((at, problem));
            if year.ends < year.begins {
                return wrong(YearProblem::Backwards);
            }
            // A year of 18 months that begins on the 1st ends on the day before the 1st.
            if day_after(year.ends).ok() > longest.last_day(year.begins).ok() {
                return wrong(YearProblem::TooLong);
            }
            let eve = eve_of(*year).map_err(|_| (at, YearProblem::Backwards))?;
            if before.is_some_and(|before| year.begins <= before.ends || YearEnd::of(before.ends) != YearEnd::of(eve)) {
                return wrong(YearProblem::Gap);
            }
            before = Some(*year);
        }
        match before {
            Some(last) if YearEnd::of(last.ends) != end => Err((changed.len() - 1, YearProblem::RegularEnd)),
            Some(_) | None => Ok(Self { end, changed }),
        }
    }

    /// The regular end.
    pub fn end(&self) -> YearEnd {
        self.end
    }

    /// Years that were shortened or prolonged, in order.
    pub fn changed(&self) -> &[ChangedYear] {
        &self.changed
    }

    /// The last day of the financial year that a day falls in.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn end_of_year_holding(&self, day: Day) -> Result<Day, CalendarError> {
        match self.changed.iter().find(|year| day <= year.ends) {
            Some(year) if day >= year.begins => Ok(year.ends),
            Some(next) => YearEnd::of(eve_of(*next)?).of_year_holding(day),
            None => self.end.of_year_holding(day),
        }
    }
}

fn eve_of(year: ChangedYear) -> Result<Day, CalendarError> {
    year.begins.yesterday().map_err(|_| CalendarError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn year(begins: Day, ends: Day) -> ChangedYear {
        ChangedYear { begins, ends }
    }

    fn june() -> YearEnd {
        "06-30".parse().expect("an end")
    }

    #[test]
    fn a_shortened_year_ends_early_and_the_years_around_it_as_they_did_and_do() {
        let years = FinancialYears::new(june(), vec![year(date(2026, 1, 1), date(2026, 6, 30))]).expect("in order");
        for (day, end) in [
            (date(2025, 3, 1), date(2025, 12, 31)),
            (date(2025, 12, 31), date(2025, 12, 31)),
            (date(2026, 1, 1), date(2026, 6, 30)),
            (date(2026, 6, 30), date(2026, 6, 30)),
            (date(2026, 7, 1), date(2027, 6, 30)),
        ] {
            assert_eq!(years.end_of_year_holding(day), Ok(end), "{day}");
        }
    }

    #[test]
    fn a_prolonged_year_has_up_to_eighteen_months() {
        let years = FinancialYears::new(june(), vec![year(date(2026, 1, 1), date(2027, 6, 30))]).expect("in order");
        assert_eq!(years.end_of_year_holding(date(2026, 8, 1)), Ok(date(2027, 6, 30)));
        let long = vec![year(date(2026, 1, 1), date(2027, 7, 1))];
        assert_eq!(FinancialYears::new("07-01".parse().expect("an end"), long), Err((0, YearProblem::TooLong)));
    }

    #[test]
    fn years_that_contradict_each_other_are_refused() {
        let backwards = vec![year(date(2026, 6, 30), date(2026, 6, 29))];
        assert_eq!(FinancialYears::new(june(), backwards), Err((0, YearProblem::Backwards)));
        assert!(
            FinancialYears::new(june(), vec![year(date(2026, 6, 30), date(2026, 6, 30))]).is_ok(),
            "a day is a year too"
        );
        let other_end = vec![year(date(2026, 1, 1), date(2026, 8, 31))];
        assert_eq!(FinancialYears::new(june(), other_end), Err((0, YearProblem::RegularEnd)));
        let first = year(date(2026, 1, 1), date(2026, 4, 30));
        let gap = vec![first, year(date(2028, 1, 1), date(2028, 6, 30))];
        assert_eq!(FinancialYears::new(june(), gap), Err((1, YearProblem::Gap)));
        let joined = vec![first, year(date(2028, 5, 1), date(2028, 6, 30))];
        let years = FinancialYears::new(june(), joined).expect("in order");
        assert_eq!(years.end_of_year_holding(date(2026, 5, 1)), Ok(date(2027, 4, 30)));
        let overlap = vec![year(date(2026, 7, 1), date(2027, 6, 30)), year(date(2026, 7, 1), date(2027, 6, 30))];
        assert_eq!(FinancialYears::new(june(), overlap), Err((1, YearProblem::Gap)));
    }
}

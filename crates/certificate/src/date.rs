//! Days and instants as a reader says them, with the exact spelling in `datetime`. Instants are shown in the time of
//! Stockholm, which days are of anyway. What is no date is shown as it is.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::html::Html;
use crate::text::{Language, Texts};

const STOCKHOLM: TimeZone = jiff::tz::get!("Europe/Stockholm");

/// A day, `2026-02-28`.
pub(crate) fn day(text: &str, texts: &Texts) -> Html {
    let words = text.parse().map(|day| day_in_words(day, texts));
    let words = words.unwrap_or_else(|_| text.to_owned());
    Html::with("time", &[("datetime", text)], Html::text(&words))
}

/// An instant, `2026-02-28T21:00:00Z`.
pub(crate) fn instant(text: &str, texts: &Texts) -> Html {
    let words = text.parse::<Timestamp>().map(|instant| {
        let local = instant.to_zoned(STOCKHOLM);
        let time = match texts.language {
            Language::Swedish => format!("kl. {:02}.{:02}", local.hour(), local.minute()),
            Language::English => format!("at {:02}:{:02}", local.hour(), local.minute()),
        };
        // A no-break space: a time of day does not stand alone on a line.
        format!("{} {}", day_in_words(local.date(), texts), time.replace(' ', "\u{a0}"))
    });
    let words = words.unwrap_or_else(|_| text.to_owned());
    Html::with("time", &[("datetime", text)], Html::text(&words))
}

/// Seconds since 1970, UTC.
pub(crate) fn seconds(seconds: u64, texts: &Texts) -> Html {
    let instant = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    self::instant(&instant.map_or_else(|| seconds.to_string(), |instant| instant.to_string()), texts)
}

/// Whether a day was over in Stockholm at an instant. Unreadable: no.
pub(crate) fn is_over(day: &str, instant: &str) -> bool {
    let (day, now) = (day.parse::<civil::Date>(), instant.parse::<Timestamp>());
    day.ok().zip(now.ok()).is_some_and(|(day, now)| day < now.to_zoned(STOCKHOLM).date())
}

fn day_in_words(day: civil::Date, texts: &Texts) -> String {
    let month = usize::try_from(day.month() - 1).ok().and_then(|at| texts.months.get(at)).copied().unwrap_or_default();
    format!("{}\u{a0}{month} {}", day.day(), day.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_in_the_time_of_stockholm() {
        let late = "2026-02-28T23:30:00Z";
        for (language, words) in [
            (Language::Swedish, "1\u{a0}mars 2026 kl.\u{a0}00.30"),
            (Language::English, "1\u{a0}March 2026 at\u{a0}00:30"),
        ] {
            let made = instant(late, language.texts()).into_string();
            assert_eq!(made, format!("<time datetime=\"{late}\">{words}</time>"));
        }
        assert!(seconds(1_772_321_400, Language::Swedish.texts()).into_string().contains("1\u{a0}mars 2026"));
    }

    #[test]
    fn a_day_is_over_when_it_is_in_stockholm() {
        assert!(!is_over("2026-02-28", "2026-02-28T22:59:59Z"));
        assert!(is_over("2026-02-28", "2026-02-28T23:00:00Z"));
        assert!(!is_over("unknown", "2026-02-28T23:00:00Z"));
    }

    #[test]
    fn what_is_no_date_is_shown_as_it_is() {
        assert!(day("<soon>", Language::English.texts()).into_string().ends_with(">&lt;soon&gt;</time>"));
    }
}

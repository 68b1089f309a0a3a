//! Members of a JSON line and where they stand, so that one value can be replaced and every other byte kept. Reads only
//! what `serde_json` takes for one object too; a name that stands twice makes the line unreadable.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::format::{Names, Parts};
use super::time;

/// Reads a line. Values are found without their quotes; one that has an escape in it is no address, host or time.
pub(super) fn read(line: &[u8], names: &Names) -> Option<Parts> {
    let (mut host, mut address, mut at, mut forwarded) = (None, None, None, None);
    members(line, &mut |name, value| {
        let slot = match Some(name) {
            name if name == names.host.as_deref().map(str::as_bytes) => &mut host,
            Some(name) if name == names.address.as_bytes() => &mut address,
            Some(name) if name == names.time.as_bytes() => &mut at,
            name if name == names.forwarded.as_deref().map(str::as_bytes) => &mut forwarded,
            _ => return Some(()),
        };
        slot.replace(value).is_none().then_some(())
    })?;
    serde_json::from_slice::<IgnoredAny>(line).ok()?;
    let (address, time) = (address?, time::read(line.get(at?)?)?);
    (address.start < address.end).then_some(Parts { host, address, forwarded, time })
}

/// Gets the name of a member and the place of its value; `None` ends the reading.
type See<'a> = dyn FnMut(&[u8], Range<usize>) -> Option<()> + 'a;

/// Calls `see` with every member of the top object.
fn members(line: &[u8], see: &mut See<'_>) -> Option<()> {
    let mut at = expect(line, 0, b'{')?;
    if line.get(space(line, at)) == Some(&b'}') {
        return Some(());
    }
    loop {
        let name = string(line, space(line, at))?;
        at = expect(line, name.end + 1, b':')?;
        let from = space(line, at);
        let value = if line.get(from) == Some(&b'"') {
            let value = string(line, from)?;
            at = value.end + 1;
            value
        } else {
            at = skip(line, from)?;
            let trimmed = line.get(from..at)?.trim_ascii_end().len();
            from..from + trimmed
        };
        see(line.get(name)?, value)?;
        at = space(line, at);
        match line.get(at)? {
            b',' => at += 1,
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

fn space(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Past white space and one byte.
fn expect(line: &[u8], from: usize, byte: u8) -> Option<usize> {
    let at = space(line, from);
    (line.get(at) == Some(&byte)).then_some(at + 1)
}

/// The inside of the string that begins at `from`.
fn string(line: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = expect(line, from, b'"')?;
    let start = at;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line.get(at) == Some(&b'"') {
            return Some(start..at);
        }
        at += 2;
    }
}

/// Past a number, word, list or object.
fn skip(line: &[u8], mut at: usize) -> Option<usize> {
    let mut deep = 0_u32;
    loop {
        match line.get(at)? {
            b'"' => at = string(line, at)?.end,
            b'{' | b'[' => deep += 1,
            b'}' | b']' | b',' if deep == 0 => return Some(at),
            b'}' | b']' => deep -= 1,
            _ => {}
        }
        at += 1;
    }
}

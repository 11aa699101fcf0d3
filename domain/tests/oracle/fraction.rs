//! Fractions, without anything that the program computes with.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    top: i128,
    bottom: i128,
}

pub const ZERO: Fraction = Fraction { top: 0, bottom: 1 };

fn common(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { common(b, a % b) }
}

/// `top` ÷ `bottom`.
pub fn over(top: i128, bottom: i128) -> Fraction {
    let by = common(top, bottom);
    let by = if (by < 0) == (bottom < 0) { by } else { -by };
    Fraction {
        top: top / by,
        bottom: bottom / by,
    }
}

/// A number of thousandths.
pub fn mill(thousandths: i64) -> Fraction {
    over(thousandths.into(), 1000)
}

pub fn whole(n: i64) -> Fraction {
    over(n.into(), 1)
}

impl Fraction {
    pub fn plus(self, other: Fraction) -> Fraction {
        over(
            self.top * other.bottom + other.top * self.bottom,
            self.bottom * other.bottom,
        )
    }

    pub fn minus(self, other: Fraction) -> Fraction {
        self.plus(other.times(whole(-1)))
    }

    pub fn times(self, other: Fraction) -> Fraction {
        over(self.top * other.top, self.bottom * other.bottom)
    }

    pub fn by(self, other: Fraction) -> Fraction {
        over(self.top * other.bottom, self.bottom * other.top)
    }

    pub fn below(self, other: Fraction) -> bool {
        self.top * other.bottom < other.top * self.bottom
    }

    pub fn least(self, other: Fraction) -> Fraction {
        if other.below(self) { other } else { self }
    }

    pub fn most(self, other: Fraction) -> Fraction {
        if self.below(other) { other } else { self }
    }

    pub fn negative(self) -> bool {
        self.below(ZERO)
    }

    pub fn size(self) -> Fraction {
        if self.negative() {
            ZERO.minus(self)
        } else {
            self
        }
    }

    /// The largest whole number that is not above it.
    pub fn floor(self) -> i128 {
        self.top.div_euclid(self.bottom)
    }

    pub fn ceil(self) -> i128 {
        -ZERO.minus(self).floor()
    }

    /// In hundredths, half away from zero.
    pub fn cents(self) -> i128 {
        let size = self.size().times(whole(100)).plus(over(1, 2)).floor();
        if self.negative() { -size } else { size }
    }
}

pub fn sum(of: impl IntoIterator<Item = Fraction>) -> Fraction {
    of.into_iter().fold(ZERO, Fraction::plus)
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.top, self.bottom)
    }
}

/// Thousandths as a decimal number.
pub fn decimal(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let size = thousandths.abs();
    format!("{sign}{}.{:03}", size / 1000, size % 1000)
}

#[test]
fn fractions_count_as_on_paper() {
    assert_eq!(over(2, -4), over(-1, 2));
    assert_eq!(over(1, 3).plus(over(1, 6)), over(1, 2));
    assert_eq!(over(-5, 2).floor(), -3);
    assert_eq!(over(-5, 2).ceil(), -2);
    assert_eq!(over(5, 1000).cents(), 1);
    assert_eq!(over(-5, 1000).cents(), -1);
    assert_eq!(decimal(-45), "-0.045");
}

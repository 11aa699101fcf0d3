//! The prepaid wallet: what it holds, and what it paid of documents.

use super::{History, currency};
use indelible_domain::kernel::{Exact, Money, Rounding};
use indelible_domain::wallets::Burn;
use indelible_domain::{Command, wallets};

impl History {
    /// A wallet of alice's in dollars, which pays calls as they are rated or documents as they become final.
    pub(super) fn open_wallet(&mut self) {
        let open = Command::OpenWallet {
            wallet: "w".into(),
            account: "alice".into(),
            priority: 1,
        };
        assert!(self.try_it(open), "a wallet opens");
        let burn = [Burn::Rating, Burn::Finalising][self.dice.of(2)];
        self.purse = burn == Burn::Finalising;
        let terms = wallets::Terms {
            burn,
            ..wallets::Terms::default()
        };
        self.try_it(Command::ChangeWallet {
            wallet: "w".into(),
            terms: Box::new(terms),
        });
    }

    pub(super) fn top_up(&mut self) {
        let (grant, minor) = (self.id("g"), i128::from(1 + self.dice.below(6000)));
        let top_up = Command::TopUpWallet {
            wallet: "w".into(),
            grant,
            amount: Money::new(minor, currency("USD")),
            expires: None,
        };
        assert!(self.try_it(top_up), "money is put in");
        self.topped_up += minor;
    }

    /// What the wallet paid of documents: what was put in, less what is there and what it paid of calls.
    pub(super) fn paid_by_wallet(&self) -> Result<Money, String> {
        let wallet = &self.book.tenant().tables.wallets["w"].state;
        let left = wallet.balance(self.book.today);
        let put = Exact::ratio(self.topped_up, 100).expect("fits");
        let burnt = self.sold.iter().map(|sold| self.burnt(sold));
        let paid = burnt
            .chain([left])
            .fold(put, |rest, part| rest.minus(part).expect("fits"));
        let money = Money::round(paid, currency("USD"), Rounding::HalfUp).expect("fits");
        match money.exact() == paid && !money.is_negative() && !left.is_negative() {
            true => Ok(money),
            false => Err(format!(
                "of {put} in the wallet {left} is left, {paid} paid documents"
            )),
        }
    }
}

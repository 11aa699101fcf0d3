//! Where commands are handed in: scope, idempotency key, receipt.
//!
//! A command's id is the idempotency key of the client, within its tenant. Its input is everything the client sent:
//! the same key with the same arguments answers with the first receipt, with other arguments it is refused. A refusal
//! stores nothing, a dry run uses no key.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use indelible_domain::accounts::Account;
use indelible_domain::command::{Command, Outcome, UsageCounts as DomainCounts};
use indelible_domain::invoices::Invoice;
use indelible_domain::kernel::calendar::add_days;
use indelible_domain::kernel::{Date, Decider, Instant, Rejection};
use indelible_domain::mediation::Intake;
use indelible_domain::operations::{self, Coming};
use indelible_domain::past::Memory;
use indelible_domain::reratings;
use indelible_domain::runs::BillRun;
use indelible_domain::session::{Session, Staged};
use indelible_domain::subscriptions::Subscription;
use indelible_domain::world::{Entry, Noun, Tables, Tenant};

use indelible_store::{BillRunRequest, Refused, Request, TenantPast};

use super::books::{Books, Cut};
use super::log::Fact;
use super::scalars::Position;
use super::{errors, ids};
use crate::auth::Scope;
use crate::ingest;
use crate::request_id::RequestId;

/// Longest idempotency key, in bytes: what the log takes, less room to spare.
const KEY_BYTES: usize = 160;

/// Most other subscriptions of a command that are looked ahead for: a transfer changes one.
pub const OTHERS_MAX: usize = 10;

/// Most steps of a rerating that is only tried.
const TRIED_STEPS_MAX: usize = 1_000;

/// What a command did.
#[derive(Clone, Debug)]
pub struct Receipt {
    tenant: String,
    replayed: bool,
    outcome: Outcome,
    wrote: Wrote,
}

#[derive(Clone, Copy, Debug)]
struct Commit {
    position: u64,
    events: u64,
}

/// Where the facts of a command are.
#[derive(Clone, Debug)]
enum Wrote {
    /// For each commit, the last `events` facts up to `position`.
    Commits(Vec<Commit>),
    /// A bill run: many commits, told by the stream of the run.
    Run { position: u64, run: String },
    /// Nowhere: a dry run, with what it would write and at least the aggregates that it made or changed.
    Nothing {
        staged: Vec<Staged>,
        made: Arc<Tables>,
    },
}

impl Receipt {
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Facts were written, by this very request.
    pub fn is_news(&self) -> bool {
        match &self.wrote {
            Wrote::Commits(commits) => !self.replayed && commits.iter().any(|c| c.events > 0),
            Wrote::Run { .. } => !self.replayed,
            Wrote::Nothing { .. } => false,
        }
    }

    /// Nothing was written.
    pub fn dry_run_only(&self) -> bool {
        matches!(self.wrote, Wrote::Nothing { .. })
    }

    /// Where what came of it is seen: now; for a dry run in what it would leave.
    pub fn cut(&self) -> Cut {
        match &self.wrote {
            Wrote::Nothing { made, .. } => Cut::tried(Arc::clone(made)),
            Wrote::Commits(_) | Wrote::Run { .. } => Cut::now(),
        }
    }

    /// The position a query must see to see this command; none for a dry run.
    pub fn token(&self, ctx: &Context<'_>) -> Result<Option<Position>> {
        let position = match &self.wrote {
            Wrote::Commits(commits) => commits.iter().map(|commit| commit.position).max(),
            Wrote::Run { position, .. } => Some(*position),
            Wrote::Nothing { .. } => None,
        };
        let books = Books::of(ctx)?;
        Ok(position.map(|position| books.tokens().token(position)))
    }
}

#[Object]
impl Receipt {
    /// Hand it to a query as `minPosition` to be sure that it sees this command; none for a dry run.
    async fn position(&self, ctx: &Context<'_>) -> Result<Option<Position>> {
        self.token(ctx)
    }

    /// The key was used before with the same arguments: this is the first answer, and nothing was done again.
    async fn replayed(&self) -> bool {
        self.replayed
    }

    /// Nothing was written.
    async fn dry_run(&self) -> bool {
        self.dry_run_only()
    }

    /// What came to be or was changed.
    async fn touched(&self) -> Vec<ID> {
        self.outcome
            .touched
            .iter()
            .map(|(kind, key)| ids::node(kind, key))
            .collect()
    }

    /// For usage: what came of the records.
    async fn usage(&self) -> Option<UsageCounts> {
        self.outcome.usage.map(UsageCounts::from)
    }

    /// The facts it wrote, at most 500; for a dry run those it would write; for a bill run those of the run itself.
    async fn events(&self, ctx: &Context<'_>) -> Result<Vec<Fact>> {
        const MOST: usize = 500;
        let books = Books::of(ctx)?;
        let found = match &self.wrote {
            Wrote::Nothing { staged, .. } => {
                let facts = staged.iter().take(MOST);
                return Ok(facts
                    .map(|staged| Fact::tried(staged.clone(), &self.tenant))
                    .collect());
            }
            Wrote::Commits(commits) => {
                let mut found = Vec::new();
                for Commit { position, events } in commits {
                    let room = MOST.saturating_sub(found.len());
                    let most = usize::try_from(*events).unwrap_or(MOST).min(room);
                    found.extend(books.events(position.saturating_sub(*events), most).await?);
                }
                found
            }
            Wrote::Run { run, .. } => books.stream_events(BillRun::KIND, run, 0, MOST).await?,
        };
        Ok(found.into_iter().map(Fact::new).collect())
    }
}

/// Nothing disappears: received = accepted + duplicates + conflicts + unreadable, and
/// accepted = rated + pending + rejected + superseded.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct UsageCounts {
    received: u64,
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    unreadable: u64,
    rated: u64,
    pending: u64,
    rejected: u64,
    superseded: u64,
}

impl From<DomainCounts> for UsageCounts {
    fn from(counts: DomainCounts) -> UsageCounts {
        let DomainCounts {
            received,
            accepted,
            duplicates,
            conflicts,
            unreadable,
            rated,
            pending,
            rejected,
            superseded,
        } = counts;
        UsageCounts {
            received,
            accepted,
            duplicates,
            conflicts,
            unreadable,
            rated,
            pending,
            rejected,
            superseded,
        }
    }
}

/// What a dry run came to.
pub struct Tried {
    pub receipt: Receipt,
}

/// A subscription that a dry run left, and what becomes due of it.
pub struct TriedSubscription {
    pub key: String,
    pub state: Arc<Entry<<Subscription as Decider>::State>>,
    pub coming: Vec<Coming>,
    /// Other subscriptions that the command changes, each with what becomes due of it.
    pub others: Vec<(String, Vec<Coming>)>,
}

impl Tried {
    /// The facts that it would write.
    pub fn staged(&self) -> &[Staged] {
        match &self.receipt.wrote {
            Wrote::Nothing { staged, .. } => staged,
            Wrote::Commits(_) | Wrote::Run { .. } => &[],
        }
    }

    /// Things of one kind that it made or changed.
    pub fn made<N: Noun>(&self) -> Vec<(String, Arc<Entry<N::State>>)> {
        let Wrote::Nothing { staged, made } = &self.receipt.wrote else {
            return vec![];
        };
        let touched: BTreeSet<&String> = staged
            .iter()
            .filter(|staged| staged.kind == N::KIND)
            .map(|staged| &*staged.id)
            .collect();
        let entry = |key: &String| N::table(made).get(key).cloned();
        touched
            .into_iter()
            .filter_map(|key| Some((key.clone(), entry(key)?)))
            .collect()
    }
}

/// Refuses a caller whose key may not do this.
pub fn require(books: &Books, scope: Scope) -> Result<()> {
    let own = books.caller().scope;
    if own >= scope {
        return Ok(());
    }
    let sentence = format!("the key may {own}, this needs a key that may {scope}");
    Err(errors::refused("SCOPE_TOO_SMALL", sentence))
}

/// Runs one command and waits until it is on disk.
pub async fn hand_in(
    ctx: &Context<'_>,
    scope: Scope,
    key: &str,
    command: Command,
) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let hash = input_hash(ctx)?;
    execute(&books, checked(key)?, hash, correlation(ctx), command).await
}

/// Runs commands one after the other, each under an id of its own below the key. The same call after a crash goes on
/// with the command that is missing.
pub async fn hand_in_all(
    ctx: &Context<'_>,
    scope: Scope,
    key: &str,
    commands: Vec<Command>,
) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let (hash, key) = (input_hash(ctx)?, checked(key)?);
    let request = correlation(ctx);
    let mut sum: Option<Receipt> = None;
    // A control character, which no client's key has.
    let id = |number| match number {
        1 => key.clone(),
        number => format!("{key}\u{1f}{number}"),
    };
    let numbered = commands.into_iter().zip(1..);
    let mut waiting: VecDeque<(String, Command)> = numbered
        .map(|(command, number)| (id(number), command))
        .collect();
    while let Some((id, command)) = waiting.pop_front() {
        let kept = ingest::kept(&command);
        let done = carry_out(&books, id.clone(), hash, request.clone(), command).await;
        let next = match (done, kept.and_then(Intake::halves)) {
            (Ok(next), _) => next,
            // More facts than a commit takes: in two, in its order.
            (Err(no), Some(halves)) if ingest::by_halves(&no) => {
                for (half, number) in halves.into_iter().zip([1, 2]).rev() {
                    let command = Command::IngestUsage(Box::new(half));
                    waiting.push_front((format!("{id}\u{1f}:{number}"), command));
                }
                continue;
            }
            (Err(no), _) => return Err(refused(no)),
        };
        sum = Some(summed(sum, next));
    }
    sum.ok_or_else(|| errors::refused("NOTHING_TO_DO", "there was nothing to do"))
}

/// What commands came to that were one for who asked.
fn summed(sum: Option<Receipt>, next: Receipt) -> Receipt {
    let Some(sum) = sum else {
        return next;
    };
    Receipt {
        tenant: sum.tenant,
        replayed: sum.replayed && next.replayed,
        outcome: super::usage::add(sum.outcome, next.outcome),
        wrote: match (sum.wrote, next.wrote) {
            (Wrote::Commits(mut all), Wrote::Commits(next)) => {
                all.extend(next);
                Wrote::Commits(all)
            }
            (wrote, _) => wrote,
        },
    }
}

/// Runs one command, or only tries it.
pub async fn hand_in_or_try(
    ctx: &Context<'_>,
    scope: Scope,
    key: &str,
    command: Command,
    dry_run: bool,
) -> Result<Receipt> {
    if dry_run {
        Ok(attempt(ctx, scope, command).await?.receipt)
    } else {
        hand_in(ctx, scope, key, command).await
    }
}

/// Starts a bill run, or goes on with one that did not end, and bills account after account.
pub async fn run(ctx: &Context<'_>, scope: Scope, key: &str, ask: RunAsk) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let RunAsk {
        run,
        as_of,
        accounts,
        draft,
    } = ask;
    let replayed = books
        .find::<BillRun>(&run)
        .is_some_and(|run| run.state.completed);
    let ask = BillRunRequest {
        tenant: books.tenant().to_owned(),
        run: run.clone(),
        as_of,
        accounts,
        draft,
        command_id: Some(checked(key)?),
        input_hash: input_hash(ctx)?,
        actor: books.caller().actor.clone(),
        correlation: correlation(ctx),
        now: books.now(),
    };
    finish(&books, ask, replayed).await
}

/// Goes on with a bill run that was started before.
pub async fn go_on(ctx: &Context<'_>, scope: Scope, run: String) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let known = books.find::<BillRun>(&run);
    let ask = BillRunRequest {
        tenant: books.tenant().to_owned(),
        run,
        as_of: None,
        accounts: vec![],
        draft: known.as_ref().is_some_and(|run| run.state.draft),
        command_id: None,
        input_hash: [0; 32],
        actor: books.caller().actor.clone(),
        correlation: correlation(ctx),
        now: books.now(),
    };
    finish(&books, ask, false).await
}

async fn finish(books: &Books, ask: BillRunRequest, replayed: bool) -> Result<Receipt> {
    let run = ask.run.clone();
    let done = books
        .blocking(move |office| Ok(office.ledger.run_bill(&ask, &mut |_, _| {})))
        .await?;
    let report = done.map_err(refused)?;
    let mut outcome = Outcome::of(BillRun::KIND, &run);
    let invoices = report
        .run
        .billed
        .into_iter()
        .map(|(_, invoice)| (Invoice::KIND.to_owned(), invoice));
    outcome.touched.extend(invoices);
    let wrote = Wrote::Run {
        position: report.position,
        run,
    };
    Ok(Receipt {
        tenant: books.tenant().to_owned(),
        replayed,
        outcome,
        wrote,
    })
}

/// A bill run as a client asks for it.
#[derive(Clone)]
pub struct RunAsk {
    pub run: String,
    pub as_of: Option<Date>,
    /// Empty: every account with something due.
    pub accounts: Vec<String>,
    pub draft: bool,
}

/// Decides one command and drops what it decided.
pub async fn attempt(ctx: &Context<'_>, scope: Scope, command: Command) -> Result<Tried> {
    let (tried, ()) = attempt_and(ctx, scope, command, |_| Ok(())).await?;
    Ok(tried)
}

/// The same, and what is to be seen of the state as the command would leave it.
async fn attempt_and<T: Send + 'static>(
    ctx: &Context<'_>,
    scope: Scope,
    command: Command,
    look: impl FnOnce(&Session<'_>) -> std::result::Result<T, Rejection> + Send + 'static,
) -> Result<(Tried, T)> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let request = Request::new(books.tenant(), &books.caller().actor, books.now(), command);
    let tried = books
        .blocking(move |office| Ok(office.ledger.dry_run_and(request, look)))
        .await?;
    let (tried, seen) = tried.map_err(refused)?;
    let receipt = Receipt {
        tenant: books.tenant().to_owned(),
        replayed: false,
        outcome: tried.outcome,
        wrote: Wrote::Nothing {
            staged: tried.events,
            made: Arc::from(tried.aggregates),
        },
    };
    Ok((Tried { receipt }, seen))
}

/// Decides a whole bill run and drops it.
pub async fn try_run(ctx: &Context<'_>, scope: Scope, ask: RunAsk) -> Result<Tried> {
    let RunAsk {
        run,
        as_of,
        accounts,
        draft,
    } = ask;
    attempt_with(ctx, scope, move |attempt| {
        let now = |attempt: &Attempt, is: fn(&BillRun) -> bool| {
            let runs = BillRun::table(&attempt.tenant.tables);
            runs.get(&run).is_some_and(|run| is(&run.state))
        };
        let start = Command::StartBillRun {
            run: run.clone(),
            as_of,
            accounts,
            draft,
        };
        attempt.decide(start.clone())?;
        while now(attempt, BillRun::listing) {
            attempt.decide(start.clone())?;
        }
        while now(attempt, |run| !run.completed) {
            attempt.decide(Command::StepBillRun { run: run.clone() })?;
        }
        Ok(())
    })
    .await
}

/// Decides the whole end of a bill run, with all its drafts, and drops it.
pub async fn try_cancel(
    ctx: &Context<'_>,
    scope: Scope,
    run: String,
    reason: String,
) -> Result<Tried> {
    let command = Command::CancelBillRun { run, reason };
    attempt_with(ctx, scope, move |attempt| {
        while attempt.decide(command.clone())? > 0 {}
        Ok(())
    })
    .await
}

/// Decides what would become of the accounts that a bill run was refused for, and drops it.
pub async fn try_retry(
    ctx: &Context<'_>,
    scope: Scope,
    run: String,
    accounts: Vec<String>,
) -> Result<Tried> {
    attempt_with(ctx, scope, move |attempt| {
        attempt.decide(Command::RetryBillRun {
            run: run.clone(),
            accounts,
        })?;
        while attempt.decide(Command::StepBillRun { run: run.clone() })? > 0 {}
        Ok(())
    })
    .await
}

/// A rerating as a client asks for it.
pub struct RerateAsk {
    pub rerating: String,
    pub ask: reratings::Ask,
    /// Past records that are rated with it.
    pub add: Option<Box<indelible_domain::mediation::Intake>>,
}

impl RerateAsk {
    fn command(self) -> Command {
        Command::Rerate {
            rerating: self.rerating,
            ask: Box::new(self.ask),
            add: self.add,
        }
    }
}

/// Asks for a rerating, or for the rest of one that did not end, and takes step after step.
pub async fn rerate(ctx: &Context<'_>, scope: Scope, key: &str, ask: RerateAsk) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    let (hash, key) = (input_hash(ctx)?, checked(key)?);
    let rerating = ask.rerating.clone();
    let kept = ask.add.as_deref().and_then(ingest::kept_of);
    let kept = kept
        .and_then(Intake::halves)
        .map(|halves| (ask.ask.clone(), halves));
    let done = carry_out(&books, key.clone(), hash, correlation(ctx), ask.command()).await;
    let first = match (done, kept) {
        (Ok(first), _) => first,
        // What it adds leads to more facts than a commit takes: in two, in its order.
        (Err(no), Some((ask, halves))) if ingest::by_halves(&no) => {
            add_by_halves(ctx, (key, hash), &rerating, &ask, halves).await?
        }
        (Err(no), _) => return Err(refused(no)),
    };
    steps(ctx, &rerating, first).await
}

/// Takes in what a rerating adds by halves, and those by halves where they have to be. The same call after a crash goes on with
/// the half that is missing.
async fn add_by_halves(
    ctx: &Context<'_>,
    (key, hash): (String, [u8; 32]),
    rerating: &str,
    ask: &reratings::Ask,
    halves: [Intake; 2],
) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    let mut waiting: VecDeque<(String, Intake)> = VecDeque::new();
    let cut = |waiting: &mut VecDeque<_>, id: &str, halves: [Intake; 2]| {
        for (half, number) in halves.into_iter().zip([1, 2]).rev() {
            waiting.push_front((format!("{id}\u{1f}:{number}"), half));
        }
    };
    cut(&mut waiting, &key, halves);
    let mut sum: Option<Receipt> = None;
    while let Some((id, part)) = waiting.pop_front() {
        let kept = ingest::kept_of(&part).and_then(Intake::halves);
        let command = Command::AddToRerating {
            rerating: rerating.to_owned(),
            ask: Box::new(ask.clone()),
            part: Box::new(part),
            more: !waiting.is_empty(),
        };
        let done = carry_out(&books, id.clone(), hash, correlation(ctx), command).await;
        match (done, kept) {
            (Ok(next), _) => sum = Some(summed(sum, next)),
            (Err(no), Some(halves)) if ingest::by_halves(&no) => cut(&mut waiting, &id, halves),
            (Err(no), _) => return Err(refused(no)),
        }
    }
    sum.ok_or_else(|| errors::refused("NOTHING_TO_DO", "there was nothing to do"))
}

/// Takes a rerating back, step after step.
pub async fn undo_rerating(
    ctx: &Context<'_>,
    scope: Scope,
    key: &str,
    rerating: &str,
    reason: String,
) -> Result<Receipt> {
    let command = Command::UndoRerating {
        rerating: rerating.to_owned(),
        reason,
    };
    let first = hand_in(ctx, scope, key, command).await?;
    steps(ctx, rerating, first).await
}

/// The steps that are left of a rerating, each a commit of its own: what was done before a crash is known to the rerating.
async fn steps(ctx: &Context<'_>, rerating: &str, first: Receipt) -> Result<Receipt> {
    let books = Books::of(ctx)?;
    let left = || {
        let state = books.find::<reratings::Rerating>(rerating);
        state.map_or(0, |r| r.state.left())
    };
    let Wrote::Commits(mut commits) = first.wrote else {
        return Ok(first);
    };
    while left() > 0 {
        let request = Request {
            tenant: books.tenant().to_owned(),
            // No command id: the rerating itself remembers what is done.
            command_id: None,
            input_hash: input_hash(ctx)?,
            actor: books.caller().actor.clone(),
            correlation: correlation(ctx),
            causation: 0,
            now: books.now(),
            command: Command::StepRerating {
                rerating: rerating.to_owned(),
            },
        };
        let done = books
            .blocking(move |office| Ok(office.ledger.execute(request)))
            .await?;
        let receipt = done.map_err(refused)?;
        commits.push(Commit {
            position: receipt.position,
            events: receipt.events,
        });
    }
    Ok(Receipt {
        wrote: Wrote::Commits(commits),
        ..first
    })
}

/// Decides a whole rerating and drops it.
pub async fn try_rerating(ctx: &Context<'_>, scope: Scope, ask: RerateAsk) -> Result<Tried> {
    let rerating = ask.rerating.clone();
    attempt_with(ctx, scope, move |attempt| {
        attempt.decide(ask.command())?;
        let left = |attempt: &Attempt| {
            let state = reratings::Rerating::table(&attempt.tenant.tables).get(&rerating);
            state.map_or(0, |r| r.state.left())
        };
        let mut steps = 0;
        while left(attempt) > 0 {
            if steps == TRIED_STEPS_MAX {
                return Err(Rejection::new(
                    "RERATING_TOO_LARGE",
                    format!("a dry run takes {TRIED_STEPS_MAX} steps at most: try fewer accounts at once"),
                ));
            }
            attempt.decide(Command::StepRerating {
                rerating: rerating.clone(),
            })?;
            steps += 1;
        }
        Ok(())
    })
    .await
}

/// Decides one command about a subscription, looks at what becomes due of it up to a day, and drops it all.
pub async fn attempt_subscription(
    ctx: &Context<'_>,
    scope: Scope,
    command: Command,
    key: &str,
    days_ahead: i64,
) -> Result<(Receipt, Option<TriedSubscription>)> {
    let id = key.to_owned();
    let (tried, (coming, others)) = attempt_and(ctx, scope, command, move |session| {
        let ahead = |id: &str| {
            let account = session.get::<Subscription>(id)?.account.clone();
            let zone = &session.get::<Account>(&account)?.terms.zone;
            let through = add_days(session.today(zone), days_ahead);
            operations::coming(session.fork(), id, through)
        };
        let coming = ahead(&id)?;
        let changed = session.events().iter();
        let changed: BTreeSet<&str> = changed
            .filter(|staged| staged.kind == Subscription::KIND && *staged.id != id)
            .map(|staged| staged.id.as_str())
            .collect();
        let others = changed.into_iter().take(OTHERS_MAX);
        let others = others
            .map(|other| Ok((other.to_owned(), ahead(other)?)))
            .collect::<std::result::Result<Vec<_>, Rejection>>()?;
        Ok((coming, others))
    })
    .await?;
    let entry = match &tried.receipt.wrote {
        Wrote::Nothing { made, .. } => Subscription::table(made).get(key).cloned(),
        Wrote::Commits(_) | Wrote::Run { .. } => None,
    };
    let left = entry.map(|state| TriedSubscription {
        key: key.to_owned(),
        state,
        coming,
        others,
    });
    Ok((tried.receipt, left))
}

/// Decides one command that touches what an account is billed, or only tries it; with what becomes due of everything that is
/// billed with that account where the caller asks for `coming`, as the command leaves it.
pub async fn hand_in_or_look_ahead(
    ctx: &Context<'_>,
    scope: Scope,
    key: &str,
    command: Command,
    account: &str,
    dry_run: bool,
) -> Result<(Receipt, Vec<Coming>)> {
    let asked = ctx.look_ahead().field("coming").exists();
    let ahead = move |account: &str, session: Session<'_>| match asked {
        true => operations::coming_with(session, account, super::life::DAYS_AHEAD),
        false => Ok(vec![]),
    };
    if dry_run {
        let account = account.to_owned();
        let look = move |session: &Session<'_>| ahead(&account, session.fork());
        let (tried, coming) = attempt_and(ctx, scope, command, look).await?;
        return Ok((tried.receipt, coming));
    }
    let receipt = hand_in(ctx, scope, key, command).await?;
    let books = Books::of(ctx)?;
    let (past, now) = (books.past(), books.now());
    let coming = books.live(|tenant| ahead(account, Session::new(tenant, now).with(&past)));
    Ok((receipt, coming.map_err(errors::rejected)?))
}

/// Commands decided one after the other on a copy of the tenant.
struct Attempt {
    tenant: Tenant,
    /// What usage left behind, and what was tried since.
    past: TenantPast,
    tried: Memory,
    now: Instant,
    outcome: Outcome,
    staged: Vec<Staged>,
}

impl Attempt {
    /// How much is left for the next command of its kind.
    fn decide(&mut self, command: Command) -> std::result::Result<u64, Rejection> {
        let past = self.tried.over(&self.past);
        let mut session = Session::new(&self.tenant, self.now).with(&past);
        let outcome = operations::execute(&mut session, command);
        if let Some(failure) = self.past.failure() {
            return Err(Rejection::new(failure.code(), failure.to_string()));
        }
        let outcome = outcome?;
        let (tables, staged) = session.finish();
        self.tenant.absorb(tables, &staged);
        self.tried.absorb(&staged);
        self.staged.extend(staged);
        self.outcome.usage = outcome.usage.or(self.outcome.usage);
        for touched in outcome.touched {
            if !self.outcome.touched.contains(&touched) {
                self.outcome.touched.push(touched);
            }
        }
        Ok(outcome.left)
    }
}

async fn attempt_with(
    ctx: &Context<'_>,
    scope: Scope,
    decide: impl FnOnce(&mut Attempt) -> std::result::Result<(), Rejection> + Send + 'static,
) -> Result<Tried> {
    let books = Books::of(ctx)?;
    require(&books, scope)?;
    // A copy shares its contents with the live state, and nobody waits while we decide on it.
    let tenant = books.live(Clone::clone);
    let mut attempt = Attempt {
        tenant,
        past: books.past(),
        tried: Memory::beyond(),
        now: books.now(),
        outcome: Outcome::default(),
        staged: Vec::new(),
    };
    let decided = books
        .blocking(move |_| Ok(decide(&mut attempt).map(|()| attempt)))
        .await?;
    let Attempt {
        tenant,
        outcome,
        staged,
        ..
    } = decided.map_err(errors::rejected)?;
    let wrote = Wrote::Nothing {
        staged,
        made: Arc::new(tenant.tables),
    };
    let receipt = Receipt {
        tenant: books.tenant().to_owned(),
        replayed: false,
        outcome,
        wrote,
    };
    Ok(Tried { receipt })
}

/// One name for everything a request writes, the same as in the server's log line. Over a websocket each operation
/// has its own.
fn correlation(ctx: &Context<'_>) -> String {
    ctx.data_opt::<RequestId>()
        .copied()
        .unwrap_or_default()
        .to_string()
}

async fn execute(
    books: &Books,
    command_id: String,
    input_hash: [u8; 32],
    correlation: String,
    command: Command,
) -> Result<Receipt> {
    let done = carry_out(books, command_id, input_hash, correlation, command).await;
    done.map_err(refused)
}

async fn carry_out(
    books: &Books,
    command_id: String,
    input_hash: [u8; 32],
    correlation: String,
    command: Command,
) -> std::result::Result<Receipt, Refused> {
    let request = Request {
        tenant: books.tenant().to_owned(),
        command_id: Some(command_id),
        input_hash,
        actor: books.caller().actor.clone(),
        correlation,
        causation: 0,
        now: books.now(),
        command,
    };
    let done = books.office().clerk.execute(request).await;
    let indelible_store::Receipt {
        position,
        events,
        outcome,
        replayed,
    } = done?;
    let wrote = Wrote::Commits(vec![Commit { position, events }]);
    Ok(Receipt {
        tenant: books.tenant().to_owned(),
        replayed,
        outcome,
        wrote,
    })
}

/// A refusal is the caller's business, everything else is ours.
fn refused(refused: Refused) -> async_graphql::Error {
    match refused {
        Refused::Rejection(rejection) => errors::rejected(rejection),
        Refused::Conflict { .. } => errors::refused(refused.code(), refused.message()),
        other => errors::broken(other.code(), "the command was not carried out", &other),
    }
}

fn checked(key: &str) -> Result<String> {
    if key.is_empty() || key.len() > KEY_BYTES || key.chars().any(char::is_control) {
        let sentence = format!(
            "an idempotency key has 1 to {KEY_BYTES} bytes and no control characters, this one has {} bytes",
            key.len()
        );
        return Err(errors::refused("IDEMPOTENCY_KEY_INVALID", sentence));
    }
    Ok(key.to_owned())
}

/// A hash of the mutation's name and arguments as the client sent them. Taken here and not from the command, because
/// sealing the same personal data twice gives different bytes.
fn input_hash(ctx: &Context<'_>) -> Result<[u8; 32]> {
    let field = ctx.field();
    let mut arguments: Vec<(String, String)> = field
        .arguments()
        .map_err(async_graphql::Error::from)?
        .into_iter()
        .filter(|(name, _)| name != "idempotencyKey")
        .map(|(name, value)| (name.to_string(), canonical(&value)))
        .collect();
    arguments.sort();
    let mut hasher = blake3::Hasher::new();
    hasher.update(field.name().as_bytes());
    for (name, value) in arguments {
        for part in [name, value] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// The value as JSON with sorted keys.
fn canonical(value: &async_graphql::Value) -> String {
    // `serde_json` keeps maps sorted.
    value
        .clone()
        .into_json()
        .map(|json| json.to_string())
        .unwrap_or_default()
}

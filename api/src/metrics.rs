//! Numbers for Prometheus at `/metrics`.
//!
//! No label ever carries a tenant, an account or an id: the page is read without a key.

use indelible_domain::messages::Channel;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Route {
    pub route: &'static str,
    pub status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Passage {
    pub channel: &'static str,
    pub outcome: &'static str,
}

/// What became of messages, by channel: `sent`, `retried` (failed for now), `failed` (for good), `suppressed`,
/// `withdrawn`, `bounced`. Copies count together.
#[derive(Clone, Debug, Default)]
pub struct Messages(Family<Passage, Counter>);

impl Messages {
    /// Counts one; `channel` none: none was chosen.
    pub fn count(&self, channel: Option<Channel>, outcome: &'static str) {
        let channel = channel.map_or("none", Channel::name);
        self.0.get_or_create(&Passage { channel, outcome }).inc();
    }
}

/// All metrics of one server.
pub struct Metrics {
    registry: Registry,
    /// HTTP answers by route and status.
    pub http: Family<Route, Counter>,
    /// GraphQL operations by outcome: `ok`, `errors`, `refused`.
    pub graphql: Family<Outcome, Counter>,
    /// Seconds from the parsed request to the answer.
    pub graphql_seconds: Histogram,
    /// Open websocket connections.
    pub websockets: Gauge,
    /// Last position of the log.
    pub log_position: Gauge,
    /// Positions the read models are behind the log.
    pub views_lag: Gauge,
    /// Messages that wait to be sent, and those that wait for a person.
    pub messages_waiting: Gauge,
    pub messages_stuck: Gauge,
}

impl Metrics {
    /// Metrics of a server whose office counts these messages.
    pub fn with(messages: &Messages) -> Metrics {
        let buckets = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ];
        let mut metrics = Metrics {
            registry: Registry::with_prefix("indelible"),
            http: Family::default(),
            graphql: Family::default(),
            graphql_seconds: Histogram::new(buckets),
            websockets: Gauge::default(),
            log_position: Gauge::default(),
            views_lag: Gauge::default(),
            messages_waiting: Gauge::default(),
            messages_stuck: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "http_requests",
            "HTTP answers by route and status",
            metrics.http.clone(),
        );
        registry.register(
            "graphql_operations",
            "GraphQL operations by outcome",
            metrics.graphql.clone(),
        );
        registry.register(
            "graphql_seconds",
            "seconds to answer an operation",
            metrics.graphql_seconds.clone(),
        );
        registry.register(
            "websockets",
            "open websocket connections",
            metrics.websockets.clone(),
        );
        registry.register(
            "log_position",
            "last position of the log",
            metrics.log_position.clone(),
        );
        registry.register(
            "views_lag",
            "positions the read models are behind",
            metrics.views_lag.clone(),
        );
        registry.register(
            "messages",
            "messages by channel and what became of them",
            messages.0.clone(),
        );
        registry.register(
            "messages_waiting",
            "messages that wait to be sent",
            metrics.messages_waiting.clone(),
        );
        registry.register(
            "messages_stuck",
            "messages that wait for a person",
            metrics.messages_stuck.clone(),
        );
        metrics
    }

    /// Counts one HTTP answer.
    pub fn answered(&self, route: &'static str, status: u16) {
        self.http.get_or_create(&Route { route, status }).inc();
    }

    /// The page in the OpenMetrics text format.
    pub fn page(&self) -> String {
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("writing to a string cannot fail");
        page
    }
}

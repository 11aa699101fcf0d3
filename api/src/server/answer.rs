//! GraphQL over HTTP: reading the request and choosing media type and status of the answer.
//!
//! A client that asks for `application/graphql-response+json` gets an HTTP status that says whether the request
//! was understood; one that asks for `application/json` gets 200 for every well-formed request, as older clients
//! expect. Every error carries `extensions.code`.

use async_graphql::{Request, Response as Answer, Variables};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::Denied;
use crate::limits;

/// Media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Json,
    GraphqlResponse,
}

impl Media {
    /// The media type the client accepts; `application/json` when it does not care.
    pub fn wanted(headers: &HeaderMap) -> Result<Media, Refusal> {
        let mut ranges = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .peekable();
        if ranges.peek().is_none() {
            return Ok(Media::Json);
        }
        for range in ranges.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let charset = parts.find_map(|part| {
                part.to_ascii_lowercase()
                    .strip_prefix("charset=")
                    .map(str::to_owned)
            });
            if charset.is_some_and(|charset| !is_utf8(&charset)) {
                continue;
            }
            match kind.as_str() {
                "application/graphql-response+json" => return Ok(Media::GraphqlResponse),
                "application/json" | "application/*" | "*/*" => return Ok(Media::Json),
                _ => {}
            }
        }
        let sentence =
            "the answer can be application/graphql-response+json or application/json, in utf-8";
        Err(Refusal::new(
            StatusCode::NOT_ACCEPTABLE,
            "NOT_ACCEPTABLE",
            sentence.to_owned(),
        ))
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Media::Json => "application/json; charset=utf-8",
            Media::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

fn is_utf8(charset: &str) -> bool {
    let name = charset.trim_matches('"');
    name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8")
}

/// A request that never reached the schema.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    sentence: String,
    media: Media,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, sentence: String) -> Refusal {
        Refusal {
            status,
            code,
            sentence,
            media: Media::Json,
        }
    }

    pub fn denied(media: Media, denied: &Denied) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, denied.code(), denied.to_string()).with(media)
    }

    pub fn with(self, media: Media) -> Refusal {
        Refusal { media, ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{ "message": self.sentence, "extensions": { "code": self.code } }] });
        let mut response = (
            self.status,
            [(header::CONTENT_TYPE, self.media.header())],
            body.to_string(),
        )
            .into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
}

/// Reads one operation from the body; a list of operations is refused.
pub fn request(
    media: Media,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Request, Refusal> {
    let refuse =
        |status, code, sentence: String| Err(Refusal::new(status, code, sentence).with(media));
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|part| {
        part.split_once('=')
            .is_none_or(|(name, value)| !name.eq_ignore_ascii_case("charset") || is_utf8(value))
    });
    if !json || !utf8 {
        let sentence = format!("the body must be application/json in utf-8, not `{kind}`");
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            sentence,
        );
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let sentence = format!("the body is larger than {} bytes", limits::BODY_BYTES);
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", sentence);
        }
        Err(rejection) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "BODY_UNREADABLE",
                rejection.body_text(),
            );
        }
    };
    if body.trim_ascii_start().starts_with(b"[") {
        let sentence = "one request holds one operation, not a list of operations".to_owned();
        return refuse(StatusCode::BAD_REQUEST, "BATCH_REFUSED", sentence);
    }
    match serde_json::from_slice::<Body>(&body) {
        Ok(Body {
            query,
            operation_name,
            variables,
            extensions,
        }) => {
            // Extensions must be a map by the protocol; this server knows none.
            drop(extensions);
            let variables = Variables::from_json(Value::Object(variables.unwrap_or_default()));
            let mut request = Request::new(query).variables(variables);
            request.operation_name = operation_name;
            Ok(request)
        }
        Err(error) => refuse(
            StatusCode::BAD_REQUEST,
            "BODY_NOT_A_GRAPHQL_REQUEST",
            error.to_string(),
        ),
    }
}

/// Writes the answer of the schema, and says how it went: `ok`, `errors` or `refused`.
pub fn graphql(media: Media, answer: Answer) -> (Response, &'static str) {
    // A request that failed before execution has no data and no error with a path.
    let refused = answer.is_err()
        && answer.data == async_graphql::Value::Null
        && answer.errors.iter().all(|error| error.path.is_empty());
    let outcome = if refused {
        "refused"
    } else if answer.is_err() {
        "errors"
    } else {
        "ok"
    };
    let default = if refused {
        "GRAPHQL_INVALID"
    } else {
        "BAD_INPUT"
    };
    // Serialised as it is, so that the fields stay in the order they were asked for.
    let body = AnswerBody {
        errors: answer
            .errors
            .iter()
            .map(|error| coded(error, default))
            .collect(),
        data: (!refused).then_some(&answer.data),
    };
    let status = match (refused, media) {
        (true, Media::GraphqlResponse) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let body = serde_json::to_string(&body).expect("names and strings always serialise");
    (
        (status, [(header::CONTENT_TYPE, media.header())], body).into_response(),
        outcome,
    )
}

#[derive(Serialize)]
struct AnswerBody<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
}

/// The error as JSON; errors the schema library made itself get the default code.
fn coded(error: &async_graphql::ServerError, default: &str) -> Value {
    let mut value =
        serde_json::to_value(error).unwrap_or_else(|_| json!({ "message": error.message }));
    if let Some(map) = value.as_object_mut() {
        let extensions = map.entry("extensions").or_insert_with(|| json!({}));
        if let Some(extensions) = extensions.as_object_mut() {
            extensions.entry("code").or_insert_with(|| json!(default));
        }
    }
    value
}

//! GraphiQL, served from bytes in the binary: no CDN, no file beside the executable.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Everything comes from this server. The console writes style attributes, so inline styles are allowed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const INDEX: &[u8] = include_bytes!("../assets/graphiql/index.html");

const FILES: [(&str, &str, &[u8]); 7] = [
    (
        "/graphiql/start.js",
        SCRIPT,
        include_bytes!("../assets/graphiql/start.js"),
    ),
    (
        "/graphiql/page.css",
        STYLE,
        include_bytes!("../assets/graphiql/page.css"),
    ),
    (
        "/graphiql/graphiql.min.css",
        STYLE,
        include_bytes!("../assets/graphiql/graphiql.min.css"),
    ),
    (
        "/graphiql/graphiql.min.js",
        SCRIPT,
        include_bytes!("../assets/graphiql/graphiql.min.js"),
    ),
    (
        "/graphiql/graphql-ws.min.js",
        SCRIPT,
        include_bytes!("../assets/graphiql/graphql-ws.min.js"),
    ),
    (
        "/graphiql/react.production.min.js",
        SCRIPT,
        include_bytes!("../assets/graphiql/react.production.min.js"),
    ),
    (
        "/graphiql/react-dom.production.min.js",
        SCRIPT,
        include_bytes!("../assets/graphiql/react-dom.production.min.js"),
    ),
];

/// Routes `/`, `/graphiql` and the files of the page.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = || async { file(HTML, INDEX) };
    let mut router = Router::new()
        .route("/", get(page))
        .route("/graphiql", get(page));
    for (path, kind, bytes) in FILES {
        router = router.route(path, get(move || async move { file(kind, bytes) }));
    }
    router
}

fn file(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_no_other_server_for_anything() {
        for text in [INDEX, FILES[0].2, FILES[1].2] {
            let text = std::str::from_utf8(text).unwrap();
            assert!(
                !text.contains("http://") && !text.contains("https://"),
                "{text}"
            );
        }
        let style = std::str::from_utf8(FILES[2].2).unwrap();
        assert!(
            !style.contains("url(http") && !style.contains("url(//") && !style.contains("@import")
        );
    }

    #[test]
    fn every_file_the_page_names_is_served() {
        let page = std::str::from_utf8(INDEX).unwrap();
        let named: Vec<&str> = page
            .split('"')
            .filter(|part| part.starts_with("/graphiql/"))
            .collect();
        assert_eq!(named.len(), FILES.len());
        for name in named {
            assert!(FILES.iter().any(|(path, ..)| *path == name), "{name}");
        }
    }
}

// Connects GraphiQL to this server: queries over POST, subscriptions over graphql-ws.
//
// The "Headers" tab holds the key as {"Authorization": "Bearer ik_…"}. A browser cannot set headers on a
// websocket, so the same headers are sent as the payload of connection_init. One client per set of headers:
// a changed key opens a new connection.
(function () {
  'use strict';
  var socket = (location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host + '/graphql/ws';
  var clients = {};

  function clientFor(headers) {
    var key = JSON.stringify(headers || {});
    if (!clients[key]) {
      clients[key] = graphqlWs.createClient({ url: socket, connectionParams: headers || {}, lazy: true });
    }
    return clients[key];
  }

  function fetcher(params, options) {
    var headers = options && options.headers;
    return GraphiQL.createFetcher({ url: '/graphql', wsClient: clientFor(headers) })(params, options);
  }

  var welcome = [
    '# Indelible: every cent is a fact in the log, and this is where you ask why.',
    '# With API keys, put {"Authorization": "Bearer ik_…"} into the Headers tab below.',
    '',
    'query WhatIsThere {',
    '  viewer { tenant scope }',
    '}',
    '',
    '# Follow the log while something happens elsewhere:',
    'subscription Follow {',
    '  events { position type summary }',
    '}',
    ''
  ].join('\n');

  ReactDOM.createRoot(document.getElementById('graphiql')).render(
    React.createElement(GraphiQL, {
      fetcher: fetcher,
      defaultQuery: welcome,
      defaultEditorToolsVisibility: 'headers',
      shouldPersistHeaders: false
    })
  );
})();

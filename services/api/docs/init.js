// All addresses are relative, so that the page works below a proxy's prefix.
const session = fetch("v1/session").then((reply) => (reply.ok ? reply.json() : {}), () => ({}));

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  // A browser that is logged in sends its cookie by itself; its writes carry this token.
  requestInterceptor: async (request) => {
    const { csrf_token: token } = await session;
    if (token && !request.headers.Authorization) request.headers["X-CSRF-Token"] = token;
    return request;
  },
});

# One image for every node; ROOMS says what a container runs. TypeScript runs as it is, so nothing is built: the first
# stage only fetches the packages. Node comes from its official image and not from the npm package "node", which is for
# machines that have an older one: the image gets the corrections of the libraries below Node, too. Both are of one
# version, which a test holds (test/deployment/image.test.ts).
ARG NODE=26.10.0

FROM node:${NODE}-slim AS packages
WORKDIR /srv/banyan
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/node node_modules/.bin

FROM node:${NODE}-slim
ENV HOST=0.0.0.0 PORT=3000 STATUS_PORT=3001
WORKDIR /srv/banyan
COPY --from=packages /srv/banyan/node_modules ./node_modules
COPY package.json moleculer.config.ts start.ts ./
COPY docs/errors.md ./docs/errors.md
COPY mixins ./mixins
COPY services ./services
USER 1000:1000
EXPOSE 3000 3001

# Every node tells its health on STATUS_PORT, those without a door too. "Ready" is what whoever waits for it must know;
# Docker restarts nothing for being unhealthy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3001/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# As npm start does it, without npm between: Node is the first process, and start.ts answers SIGTERM (test/integration/node.test.ts).
CMD ["node", "--max-semi-space-size=32", "--import", "./mixins/runtime/needs-node-26.js", "start.ts"]

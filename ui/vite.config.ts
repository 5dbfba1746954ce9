/** Builds the page into the gateway's package and refuses to let its JavaScript outgrow its budget. */
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const JAVASCRIPT_BUDGET_BYTES = 60_000;
const GATEWAY = "127.0.0.1:23455";

function javascriptBudget(): Plugin {
  return {
    name: "palio-javascript-budget",
    generateBundle(_options, bundle) {
      let bytes = 0;
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") bytes += gzipSync(file.code).length;
      }
      if (bytes > JAVASCRIPT_BUDGET_BYTES) {
        this.error(
          `JavaScript is ${bytes} bytes gzipped; the budget is ${JAVASCRIPT_BUDGET_BYTES}`,
        );
      }
    },
  };
}

export default defineConfig({
  plugins: [javascriptBudget()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../services/gateway/src/palio_gateway/ui",
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": `http://${GATEWAY}`,
      "/ws": { target: `ws://${GATEWAY}`, ws: true },
    },
  },
});

// What JupyterLab loads: a module-federation container, written by hand so that nothing has to be built. JupyterLab calls `init`
// with the modules that it shares, then `get` for the plugins. Nothing is loaded from anywhere else.
(() => {
  "use strict";
  const here = document.currentScript.src;
  let shared = {};

  /** A module that JupyterLab shares, in whichever version it has. */
  async function load(name) {
    const factory = await Object.values(shared[name])[0].get();
    return factory();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["defang-nb"] = {
    init: (scope) => {
      shared = scope;
    },
    get: async () => {
      const [compose, merge] = await Promise.all(["compose.js", "merge.js"].map((name) => import(new URL(name, here))));
      const plugins = [await compose.plugin(load), merge.plugin];
      return () => ({ __esModule: true, default: plugins });
    },
  };
})();

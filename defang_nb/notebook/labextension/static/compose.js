// Colours the Compose text of `%%compose` cells: JupyterLab has no setting for the language of one magic's cells, and its own YAML
// stumbles over the magic's line.
const COMPOSE = "text/x-defang-compose";
const MAGIC = /^\s*%%compose(\s|$)/;
const KEY = /^(?:"[^"]*"|'[^']*'|[^\s#:,[\]{}&*!|>'"%@`-][^\s#:,[\]{}]*|<<)(?=\s*:(?:\s|$))/;

/** What a piece of YAML text is, a token at a time: CodeMirror's stream parser. */
const parser = {
  name: "compose",
  startState: () => ({ quote: "", block: -1 }),
  token(stream, state) {
    if (stream.sol()) {
      if (stream.match(MAGIC, false)) {
        stream.skipToEnd();
        return "meta";
      }
      if (state.block >= 0 && stream.indentation() > state.block) {
        stream.skipToEnd();
        return "string";
      }
      if (!stream.match(/^\s*$/, false)) {
        state.block = -1;
      }
    }
    if (state.quote) {
      return quoted(stream, state);
    }
    if (stream.eatSpace()) {
      return null;
    }
    if (stream.match(/^#.*/)) {
      return "comment";
    }
    if (stream.match(KEY)) {
      return "propertyName";
    }
    if (stream.match(/^\$\$/)) {
      return "string";
    }
    if (stream.match(/^\$(?:\{[^}]*\}?|[A-Za-z_]\w*)/)) {
      return "variableName.special";
    }
    if (stream.match(/^[|>][-+0-9]*(?=\s*(?:#.*)?$)/)) {
      state.block = stream.indentation();
      return "operator";
    }
    if (stream.match(/^[&*][\w.-]+/) || stream.match(/^!\S*/)) {
      return "keyword";
    }
    if (stream.match(/^(?:---|\.\.\.)(?=\s|$)/)) {
      return "meta";
    }
    if (stream.match(/^(?:true|false|null|~)(?=\s*(?:[,\]}#]|$))/)) {
      return "bool";
    }
    if (stream.match(/^-?\d[\d_]*(?:\.\d+)?(?=\s*(?:[,\]}#]|$))/)) {
      return "number";
    }
    const next = stream.next();
    if (next === '"' || next === "'") {
      state.quote = next;
      return quoted(stream, state);
    }
    if (/[-:,[\]{}?]/.test(next)) {
      return "punctuation";
    }
    stream.eatWhile(/[^\s#,[\]{}$:]/);
    return "string";
  },
  languageData: { commentTokens: { line: "#" } },
};

/** The rest of a quoted text, up to its end, the line's, or a variable. */
function quoted(stream, state) {
  if (stream.match(/^\$(?:\{[^}]*\}?|[A-Za-z_]\w*)/)) {
    return "variableName.special";
  }
  while (!stream.eol()) {
    if (stream.match(/^\$\{/, false) && stream.current()) {
      return "string";
    }
    const next = stream.next();
    if (next === "\\" && state.quote === '"') {
      stream.next();
    } else if (next === state.quote) {
      state.quote = "";
      break;
    }
  }
  return "string";
}

/** Keep one code cell's language as its first line says. */
function follow(model, usual, languages) {
  const differs = () => MAGIC.test(model.sharedModel.getSource()) !== (model.mimeType === COMPOSE);
  const update = async () => {
    if (differs()) {
      // An editor takes a language when it has been loaded; one that loads slowly would come after this, and stay.
      await languages.getLanguage(model.mimeType);
      if (differs()) {
        model.mimeType = model.mimeType === COMPOSE ? usual() : COMPOSE;
      }
    }
  };
  model.contentChanged.connect(update);
  model.mimeTypeChanged.connect(update); // the notebook sets it anew when its kernel tells its language
  update();
}

function colour(panel, languages) {
  const notebook = panel.content;
  const known = new WeakSet();
  const look = () => {
    for (const cell of notebook.model ? notebook.model.cells : []) {
      if (cell.type === "code" && !known.has(cell)) {
        known.add(cell);
        follow(cell, () => notebook.codeMimetype, languages);
      }
    }
  };
  const begin = () => {
    if (notebook.model) {
      notebook.model.cells.changed.connect(look);
      look();
    }
  };
  notebook.modelChanged.connect(begin);
  panel.context.ready.then(begin);
}

/** `load` gives a module that JupyterLab shares. */
export async function plugin(load) {
  const { INotebookTracker } = await load("@jupyterlab/notebook");
  const { IEditorLanguageRegistry } = await load("@jupyterlab/codemirror");
  const { LanguageSupport, StreamLanguage } = await load("@codemirror/language");
  return {
    id: "defang-nb:compose",
    description: "Colours the Compose text of %%compose cells.",
    autoStart: true,
    requires: [INotebookTracker, IEditorLanguageRegistry],
    activate: (app, tracker, languages) => {
      languages.addLanguage({
        name: "defang-compose",
        displayName: "Compose",
        mime: COMPOSE,
        load: async () => new LanguageSupport(StreamLanguage.define(parser)),
      });
      tracker.widgetAdded.connect((_, panel) => colour(panel, languages));
      tracker.forEach((panel) => colour(panel, languages));
    },
  };
}

// Makes what a widget shows change only where it differs.
//
// ipywidgets sets `innerHTML` of an HTML widget's element, which draws all of it anew: a link inside loses the focus, a selection
// and a tooltip vanish, a log jumps to its end, and a screen reader takes a status that stayed the same for a new one. What a
// live view shows stands in a <defang-live>, whose parent is given an `innerHTML` of its own. Should ipywidgets one day change
// its content in another way, views are drawn as they are where this extension is not.
const usual = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");

class Live extends HTMLElement {
  connectedCallback() {
    const place = this.parentElement;
    if (place && !Object.hasOwn(place, "innerHTML")) {
      Object.defineProperty(place, "innerHTML", {
        configurable: true,
        get: () => usual.get.call(place),
        set: (html) => {
          const fresh = document.createElement("template");
          fresh.innerHTML = html;
          mergeChildren(place, fresh.content);
        },
      });
    }
  }
}

/** Give `was` the children of `now`. Nodes stay that are the same, or are of the same kind and become the same. */
function mergeChildren(was, now) {
  const fresh = [...now.childNodes];
  let old = was.firstChild;
  fresh.forEach((next, index) => {
    const same = ahead(old, next);
    if (same) {
      while (old !== same) {
        old = without(old);
      }
      old = old.nextSibling;
    } else if (old && old.nodeName === next.nodeName && !fresh.slice(index + 1).some((each) => each.isEqualNode(old))) {
      const kept = old;
      old = old.nextSibling;
      merge(kept, next);
    } else {
      was.insertBefore(next, old);
    }
  });
  while (old) {
    old = without(old);
  }
}

function ahead(old, next) {
  while (old && !old.isEqualNode(next)) {
    old = old.nextSibling;
  }
  return old;
}

/** Remove a node; the one after it. */
function without(old) {
  const next = old.nextSibling;
  old.remove();
  return next;
}

function merge(was, now) {
  if (was.nodeType !== Node.ELEMENT_NODE) {
    was.data = now.data;
    return;
  }
  for (const name of was.getAttributeNames()) {
    if (!now.hasAttribute(name) && !isTheReaders(was, name)) {
      was.removeAttribute(name);
    }
  }
  for (const name of now.getAttributeNames()) {
    if (was.getAttribute(name) !== now.getAttribute(name) && !isTheReaders(was, name)) {
      was.setAttribute(name, now.getAttribute(name));
    }
  }
  mergeChildren(was, now);
}

/** Whether a fold is open is for its reader to say. */
function isTheReaders(element, attribute) {
  return element.nodeName === "DETAILS" && attribute === "open";
}

export const plugin = {
  id: "defang-nb:merge",
  description: "Live views change only where they differ: focus, selections and scroll positions stay.",
  autoStart: true,
  activate: () => {
    if (!customElements.get("defang-live")) {
      customElements.define("defang-live", Live);
    }
  },
};

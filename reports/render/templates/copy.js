"use strict";

document.querySelectorAll("button.copy").forEach((button) => {
  const code = button.parentElement.querySelector("code");
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  };
  const select = () => { // where a page from disk may not reach the clipboard
    getSelection().selectAllChildren(code);
    if (document.execCommand("copy")) done();
  };
  button.addEventListener("click", () => {
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
    else select();
  });
});

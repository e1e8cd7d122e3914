#!/usr/bin/env python3
"""Drives the chat page of `kaito serve` in a headless Chromium.

usage: browser_chat.py KAITO_BINARY MODEL [SERVE_FLAGS...]

Starts the binary on a free loopback port, loads the page, sends a question, watches the answer grow, stops a second one, and
looks for console errors and requests to other hosts. Exit code 0: all passed; 1: a check failed; 2: wrong usage; 77: no
browser here. Needs: pip install selenium; Debian packages chromium and chromium-driver.
"""
import json, re, shutil, signal, subprocess, sys, tempfile, threading, time, urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

WAIT_S = 180
TRIES = 4  # a machine that stalls can hide what happens in between: one of a few tries has to show it


def start_server(binary, model, flags):
    command = [binary, "serve", "--model", model, "--served-model-name", "base", "--host", "127.0.0.1", "--port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stderr:
        lines.append(line)
        m = re.search(r"ready: .*:(\d+) after", line)
        if m:
            threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True).start()
            return process, f"http://127.0.0.1:{m.group(1)}/"
    sys.exit("the server did not start:\n" + "".join(lines))


def start_browser(profile):
    options = Options()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                 "--disable-component-update", "--no-first-run", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def wait(driver, condition, what):
    return WebDriverWait(driver, WAIT_S, poll_frequency=0.02).until(lambda d: condition(), message=what)


def text_of(driver, css):
    found = driver.find_elements(By.CSS_SELECTOR, css)
    return found[-1].text if found else ""


def count_of(driver, css):
    return len(driver.find_elements(By.CSS_SELECTOR, css))


def send(driver, text):
    box = driver.find_element(By.ID, "prompt")
    box.send_keys(text)
    box.send_keys(Keys.ENTER)


def set_value(driver, name, value):
    driver.execute_script("document.getElementById(arguments[0]).value = arguments[1]", name, value)


def idle(driver):
    return not driver.find_element(By.ID, "stop").is_enabled()


def page_loads(driver, url):
    driver.get(url)
    assert driver.title == "KAITO chat"
    wait(driver, lambda: len(Select(driver.find_element(By.ID, "model")).options) > 0, "models are listed")
    assert Select(driver.find_element(By.ID, "model")).options[0].text == "base"


def everything_has_a_label(driver):
    unnamed = driver.execute_script("""
        return [...document.querySelectorAll('input, select, textarea, button')]
            .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute('aria-label')).map(e => e.outerHTML)""")
    assert unnamed == [], unnamed
    assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def answer_streams(driver):
    set_value(driver, "temperature", "0")
    set_value(driver, "max_tokens", "60")
    driver.execute_script("""
        window.lengths = [];
        new MutationObserver(() => { const e = [...document.querySelectorAll('#log li.assistant span')].pop(); if (e) lengths.push(e.textContent.length); })
            .observe(document.getElementById('log'), {subtree: true, childList: true, characterData: true})""")
    for _ in range(TRIES):
        driver.execute_script("lengths = []")
        answers = count_of(driver, "#log li.assistant small")
        send(driver, "List five colours, then five animals, then five countries.")
        wait(driver, lambda: idle(driver) and count_of(driver, "#log li.assistant small") > answers and text_of(driver, "#log li.assistant small"),
             "the end of the answer")
        lengths = driver.execute_script("return lengths")
        if len(set(lengths)) >= 5:
            break
    assert len(set(lengths)) >= 5, f"the text did not grow in steps: {lengths}"
    assert text_of(driver, "#log li.user span").startswith("List five colours")
    assert "tokens" in text_of(driver, "#log li.assistant small")


def parameters_reach_the_server(driver):
    driver.find_element(By.ID, "toggle").click()
    assert driver.find_element(By.ID, "settings").is_displayed()
    assert driver.find_element(By.ID, "toggle").get_attribute("aria-expanded") == "true"
    set_value(driver, "max_tokens", "3")
    send(driver, "Tell me about the sea.")
    wait(driver, lambda: idle(driver) and "cut at the token limit" in text_of(driver, "#log li.assistant small"), "the limit is shown")
    assert "3 tokens" in text_of(driver, "#log li.assistant small")


def stop_button_stops(driver, url):
    set_value(driver, "max_tokens", "1500")
    set_value(driver, "temperature", "1.5")
    for _ in range(TRIES):  # some stories end before the click
        before = count_of(driver, "#log li.assistant")
        send(driver, "Write a very long story about a ship. Do not stop.")
        wait(driver, lambda: count_of(driver, "#log li.assistant") > before and text_of(driver, "#log li.assistant span") != "", "a word")
        driver.execute_script("document.getElementById('stop').click()")
        wait(driver, lambda: idle(driver), "the stop")
        if "stopped" in text_of(driver, "#log li.assistant small"):
            break
    assert "stopped" in text_of(driver, "#log li.assistant small"), text_of(driver, "#log li.assistant")
    until = time.time() + 60
    while not re.search(r"vllm:num_requests_running\{.*\} 0\.0", urllib.request.urlopen(url + "metrics").read().decode()):
        assert time.time() < until, "the server goes on after the stop"
        time.sleep(0.05)


def markup_stays_text(driver):
    driver.find_element(By.ID, "clear").click()
    assert driver.find_elements(By.CSS_SELECTOR, "#log li") == []
    set_value(driver, "max_tokens", "4")
    send(driver, "<img src=x onerror=\"document.title='owned'\"><b>bold</b>")
    wait(driver, lambda: idle(driver) and text_of(driver, "#log li.assistant small") != "", "the answer")
    assert driver.title == "KAITO chat" and "<b>bold</b>" in text_of(driver, "#log li.user span")
    assert driver.find_elements(By.CSS_SELECTOR, "#log img") == []


def errors_are_shown(driver):
    set_value(driver, "temperature", "-1")
    send(driver, "hello")
    wait(driver, lambda: "temperature" in text_of(driver, "#log li.error span"), "the error")


def nothing_else_is_asked(driver, url):
    errors = [e["message"] for e in driver.get_log("browser") if e["level"] == "SEVERE" and "400" not in e["message"]]
    assert errors == [], errors
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked = message["params"]["request"]["url"]
            assert asked.startswith((url, "data:", "chrome", "about:")), asked


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("skipped: chromium and chromedriver are not installed")
        return 77
    process, url = start_server(sys.argv[1], sys.argv[2], sys.argv[3:])
    failed = 0
    with tempfile.TemporaryDirectory() as profile:
        driver = start_browser(profile)
        try:
            for check in (lambda: page_loads(driver, url), lambda: everything_has_a_label(driver), lambda: answer_streams(driver),
                          lambda: parameters_reach_the_server(driver), lambda: stop_button_stops(driver, url), lambda: markup_stays_text(driver),
                          lambda: errors_are_shown(driver), lambda: nothing_else_is_asked(driver, url)):
                name = check.__code__.co_names[0]
                begun = time.time()
                try:
                    check()
                    print(f"ok      {name} ({time.time() - begun:.1f} s)", flush=True)
                except Exception as e:
                    failed += 1
                    print(f"FAILED  {name}: {type(e).__name__}: {str(e)[:600]}", flush=True)
        finally:
            driver.quit()
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    if code != 0:
        failed += 1
        print(f"FAILED  SIGTERM: exit code {code}")
    print("all passed" if not failed else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

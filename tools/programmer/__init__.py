"""The clinician programmer: a client library and a command line over any serial port or URL.

The library
    transport, session, client    bytes, requests, and transactions that act once
    journal, before    what was asked of which pump, and what the pump held before it
    errors, refusals, warnings    what can go wrong, what a pump said no to, what to think about
    format, doses, readings, log_view, sensed    what a pump says, in words and exact numbers
    read_back, residual, limits, plausible, clock_effect    what is judged before and after

The command line
    command, actions, console, transact, review    the way of every action: review, confirm, say
    program, boluses, refill    what is done every day
    removal, exporting, export_file, importing, wire_json    one pump out, another in

The session report
    report, report_data, report_changes, report_doses, report_settings, report_course
    report_text, report_html, report_svg    the same, as text and as a page
    html_page, svg    what pages and pictures are made with

The trial
    trial, trial_plan, trial_record, trial_visit, trial_course    plan, record, pump, what it means
    trial_text, trial_page, trial_svg, trial_prescription, trial_facts    what is said of it
"""

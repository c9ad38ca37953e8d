//! The built-in runbook: its two languages say the same, and nothing of the procedure is missing from either.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the runbook has failed")]

use hotfix::runbook::{BUILTIN_EN, BUILTIN_ZH, Builtin, Source, load};
use serde_json::Value;

const ENGLISH: &str = include_str!("../runbooks/hotfix.yaml");
const CHINESE: &str = include_str!("../runbooks/hotfix.zh-CN.yaml");

const STAGES: [&str; 18] = [
    "assess",
    "incident",
    "branch",
    "develop",
    "test",
    "review",
    "release",
    "staging",
    "strategy",
    "deploy",
    "monitor",
    "validate",
    "communicate",
    "rollback",
    "observe",
    "document",
    "merge-back",
    "follow-up",
];

/// What is the same in both languages: where it is, and what is to be found there.
const COMMANDS: &[(&str, &[&str])] = &[
    ("contacts/oncall", &["+1-555-0123"]),
    ("contacts/senior", &["+1-555-0124"]),
    ("contacts/manager", &["+1-555-0125"]),
    ("contacts/commander", &["+1-555-0126"]),
    ("escalation/0", &["15m", "senior"]),
    ("escalation/1", &["30m", "manager"]),
    ("escalation/2", &["60m", "commander"]),
    ("channels/warroom", &["slack", "SLACK_WEBHOOK_URL"]),
    ("secrets", &["LOGIN_PASSWORD"]),
    ("vars/staging_url", &["staging.example.com"]),
    ("vars/api_url", &["https://api.example.com"]),
    ("vars/error_log", &["/var/log/app/error.log"]),
    ("vars/log_filter", &["auth"]),
    ("vars/test_pattern", &["auth"]),
    ("vars/test_email", &["test@example.com"]),
    ("vars/batch_size", &["1"]),
    ("vars/observe", &["2h"]),
    ("version_files", &["package.json"]),
    ("assess/decide", &["decline"]),
    ("branch/fetch", &["fetch"]),
    ("branch/from-tag", &["base == 'tag'", "{{ branch }}", "{{ tag }}"]),
    ("branch/switch-main", &["base == 'trunk'", "git checkout"]),
    ("branch/pull-main", &["base == 'trunk'", r#"git pull --ff-only "$HOTFIX_REMOTE" "$HOTFIX_MAIN""#]),
    ("branch/from-trunk", &["base == 'trunk'", "{{ branch }}", "{{ main }}"]),
    ("develop/way", &["write", "cherry-pick", "fix_way"]),
    ("develop/take", &["fix_way == 'cherry-pick'", "{{ main }}"]),
    ("develop/fix", &["not taken"]),
    ("test/focused", &["npm test -- --testPathPattern="]),
    ("test/security", &["npm run test:security"]),
    ("release/details", &["fix_items"]),
    ("release/bump", &["{{ version }}"]),
    ("release/commit", &["hotfix: {{ fix_title }}", "{{ fix_items }}", "Fixes: #{{ issue }}"]),
    ("release/tag", &["{{ new_tag }}", "Hotfix {{ new_tag }}: {{ fix_title }}"]),
    ("release/tag/git/tested", &["test"]),
    ("release/push/git", &["{{ branch }}", "{{ new_tag }}"]),
    ("staging/deploy-staging/run", &[r#"./deploy-staging.sh "$HOTFIX_NEW_TAG""#]),
    ("staging/deploy-staging/undo", &[r#"./deploy-staging.sh "$HOTFIX_ROLLBACK_TO""#]),
    ("staging/login/http", &["POST", "{{ staging_url }}/api/auth/login", "application/json"]),
    ("staging/login/http/json", &["{{ test_email }}", "{{ env.LOGIN_PASSWORD }}"]),
    ("staging/smoke", &["npm run test:smoke:staging"]),
    ("strategy/choose", &["blue-green", "rolling", "direct", "strategy"]),
    ("strategy/baseline", &["continue", "response-time", "exceptions", "error-rate", "auth-success", "cpu", "memory"]),
    ("strategy/deploy-blue", &[r#"./deploy-blue.sh "$HOTFIX_NEW_TAG""#, "strategy == 'blue-green'"]),
    ("strategy/health-blue", &["./health-check-blue.sh", "strategy == 'blue-green'"]),
    ("deploy/switch", &["./switch-to-blue.sh", "strategy == 'blue-green'"]),
    ("deploy/monitor-deployment", &["./monitor-deployment.sh"]),
    ("deploy/rolling", &[r#"./deploy-rolling.sh "$HOTFIX_NEW_TAG" --batch-size "$HOTFIX_BATCH_SIZE""#]),
    ("deploy/monitor-first", &["./monitor-batch.sh", "strategy == 'rolling'"]),
    ("deploy/batches/next", &["./deploy-next-batch.sh"]),
    ("deploy/batches/monitor", &["./monitor-batch.sh"]),
    ("deploy/batches/group/repeat", &["remaining", "== 0"]),
    ("deploy/direct", &[r#"./deploy-production.sh "$HOTFIX_NEW_TAG""#, "strategy == 'direct'"]),
    ("deploy/validate-hotfix", &["./validate-hotfix.sh"]),
    ("monitor/watch/health", &["{{ api_url }}/health", "10s", "status == 200"]),
    ("monitor/watch/response-time", &["elapsed_ms < max_response_ms"]),
    ("monitor/watch/auth-log", &["{{ error_log }}", "{{ log_filter }}"]),
    ("monitor/watch/error-rate", &["{{ error_rate_query }}", "max_error_percent"]),
    ("monitor/watch/auth-success", &["{{ auth_success_query }}", "min_auth_success_percent"]),
    ("monitor/watch/cpu", &["max_load"]),
    ("monitor/watch/memory", &["max_memory_percent"]),
    ("validate/critical-paths", &["./test-critical-paths.sh"]),
    ("validate/login/http", &["POST", "{{ api_url }}/auth/login", "application/json"]),
    ("validate/login/http/json", &["{{ test_email }}", "{{ env.LOGIN_PASSWORD }}"]),
    ("validate/security", &["./security-validation.sh"]),
    ("validate/performance", &["./performance-check.sh"]),
    ("rollback/keep", &["direction == 'forward'", "rollback"]),
    ("rollback/restore", &[r#"./deploy-production.sh "$HOTFIX_ROLLBACK_TO""#, "production"]),
    ("rollback/validate", &["./validate-rollback.sh"]),
    ("observe/watch/monitor/for", &["observe", "observe_back"]),
    ("observe/watch/error-rate", &["{{ error_rate_query }}"]),
    ("observe/watch/health", &["elapsed_ms < max_response_ms"]),
    ("observe/looks/group/repeat", &["observation == 'over'"]),
    ("observe/looks", &["tickets", "feedback", "unexpected"]),
    ("merge-back/when", &["direction == 'forward'"]),
    ("merge-back/merge/git", &["{{ branch }}", "{{ main }}", "develop", "release/*"]),
    ("merge-back/delete-branch/git", &["{{ branch }}"]),
];

/// What is told in words: where it is, and what is to be found there in English and in Chinese.
const WORDS: &[(&str, &str, &str)] = &[
    // 1: assessment
    ("assess/severity", "severe", "严重"),
    ("assess/systems", "systems", "系统"),
    ("assess/users", "users", "用户"),
    ("assess/business", "business", "业务"),
    ("assess/urgency", "waits until", "拖到"),
    ("assess/decide", "necessary", "必要"),
    ("assess/rationale", "grounds of the decision", "决策依据"),
    // 2: incident response
    ("incident/set-up/0", "incident management system", "事件管理系统"),
    ("incident/set-up/1", "war room", "作战室"),
    ("incident/set-up/2", "Stakeholders and the on-call team", "值班团队"),
    ("incident/set-up/3", "who speaks", "沟通协议"),
    ("incident/set-up/4", "timeline", "时间线"),
    // 4: development
    ("develop/fix", "as little as possible", "越少越好"),
    ("develop/fix", "No refactoring, no optimisation, nothing unrelated", "不重构，不优化，不碰无关"),
    ("develop/fix", "well-tested patterns", "久经测试的模式"),
    ("develop/fix", "logging that troubleshooting needs", "排查故障"),
    ("develop/fix", "conventions and patterns", "约定和模式"),
    // 5: testing
    ("test/manual/0", "Core functionality", "核心功能"),
    ("test/manual/1", "solves the critical problem", "解决关键问题"),
    ("test/manual/2", "No new problem", "没有带来新问题"),
    ("test/manual/3", "Critical user flows", "关键用户流程"),
    // 6: review
    ("review/focus", "senior member", "高级成员"),
    ("review/focus", "security and correctness", "安全性和正确性"),
    ("review/focus", "Pair on it", "结对编程"),
    ("review/focus", "even under time pressure", "时间再紧"),
    ("review/pairing/0", "Security", "安全性"),
    ("review/pairing/1", "Correctness", "正确性"),
    ("review/pairing/2", "in a pair", "结对"),
    ("review/approval", "the decision and its reasons", "审查决定和理由"),
    // 7: version
    ("release/guide", "1.2.3 to 1.2.4", "1.2.3 变成 1.2.4"),
    ("release/guide", "1.2.3-hotfix.1", "1.2.3-hotfix.1"),
    ("release/details", "item by item", "逐条"),
    // 9: strategy
    ("strategy/guide", "without traffic", "没有流量"),
    ("strategy/guide", "batch by batch, each batch watched", "一批一批"),
    ("deploy/batches/remaining", "only while the batch is healthy", "这一批健康才往下走"),
    // 10: before the deployment
    ("deploy/checklist/0", "database backup", "数据库备份"),
    ("deploy/checklist/1", "rollback plan", "回滚计划"),
    ("deploy/checklist/2", "Monitoring alerts", "监控警报"),
    ("deploy/checklist/3", "on standby", "待命"),
    ("deploy/checklist/4", "Communication channels", "沟通渠道"),
    // 11: monitoring
    ("monitor/metrics/0", "Response time and latency", "响应时间和延迟"),
    ("monitor/metrics/1", "Error rate and number of exceptions", "错误率和异常数量"),
    ("monitor/metrics/2", "success rate of user authentication", "用户身份验证的成功率"),
    ("monitor/metrics/3", "CPU, memory", "CPU、内存"),
    // 12: validation
    ("validate/security", "security fix", "安全修复"),
    ("validate/performance", "whole system", "整个系统"),
    // 13: communication
    ("communicate/updates/0", "regular intervals", "固定间隔"),
    ("communicate/updates/1", "same communication channels", "同一套沟通渠道"),
    ("communicate/updates/2", "Progress and outcome", "进度和结果"),
    ("communicate/updates/3", "tracking system is updated", "跟踪系统已更新"),
    ("communicate/updates/4", "deployment is complete", "部署已完成"),
    // 14: rollback by hand
    ("rollback/guide", "1. Switch the load balancer back", "1. 负载均衡器切回"),
    ("rollback/guide", "2. Verify that the previous version is healthy", "2. 确认前一个版本健康"),
    ("rollback/guide", "3. Watch the stability", "3. 回滚之后继续看系统稳不稳"),
    ("rollback/guide", "4. Tell the team", "4. 告诉团队"),
    ("rollback/tell", "rolled back", "退回"),
    // 15: observation
    ("observe/guide", "2 to 4 hours", "2 到 4 小时"),
    ("observe/guide", "error rate and the performance", "错误率和性能"),
    ("observe/looks/feedback", "users report", "用户反映"),
    ("observe/looks/tickets", "support tickets", "支持工单"),
    ("observe/looks/unexpected", "unexpected behaviour", "意外行为"),
    ("observe/solved", "solve the original problem", "解决了原始问题"),
    // 16: documentation
    ("document/record/0", "timeline", "时间线"),
    ("document/record/1", "Lessons learned and process improvements", "经验教训和流程改进"),
    ("document/record/2", "with the resolution", "解决方案"),
    ("document/record/3", "post-incident review", "事件后审查"),
    ("document/record/4", "shared with the team", "与团队分享"),
    // the seven practices
    ("develop/guide", "**Keep it simple:**", "**保持简单："),
    ("test/guide", "**Test thoroughly:**", "**测试要全："),
    ("incident/guide", "**Communicate clearly:**", "**沟通清楚："),
    ("monitor/guide", "**Watch closely:**", "**盯紧："),
    ("incident/guide", "**Document everything:**", "**事事留档："),
    ("strategy/guide", "**Plan the rollback:**", "**备好回滚："),
    ("follow-up/guide", "**Learn and improve:**", "**学习改进："),
    // the five reminders
    ("assess/guide", "real production emergency only", "真正的生产事故"),
    ("assess/guide", "take the normal release process", "走正常发布流程"),
    ("assess/guide", "**A stable system comes before a fast deployment**", "**系统稳定永远排在部署速度前面**"),
    ("incident/guide", "clear audit trail of every emergency change", "清楚的审计线索"),
    ("follow-up/guide", "**Rehearse regularly**", "**定期演练**"),
    // contacts and thresholds
    ("contacts/oncall", "On-call engineer", "值班工程师"),
    ("contacts/senior", "Senior engineer", "高级工程师"),
    ("contacts/manager", "Engineering manager", "工程经理"),
    ("contacts/commander", "Incident commander", "事件指挥官"),
    ("incident/guide", "after 15 minutes the senior engineer", "满 15 分钟找高级工程师"),
    ("incident/guide", "after 30 the engineering manager", "满 30 分钟找工程经理"),
    ("incident/guide", "after 60 the incident commander", "满 60 分钟找事件指挥官"),
];

/// 18: each with an owner and a date.
const FOLLOW_UP: [(&str, &str, &str); 5] = [
    ("review-meeting", "post-incident review meeting", "事件后审查会议"),
    ("runbooks", "runbooks and emergency procedures", "运行手册和应急规程"),
    ("improvements", "process improvements", "流程改进"),
    ("alerts", "monitoring and alerts", "监控与警报的配置"),
    ("prevention", "prevent similar problems", "避免同类问题"),
];

fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The node at `path`: by key, by index, by `id` among stages and steps, or by `name` among probes.
fn at<'a>(runbook: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').try_fold(runbook, |node, part| {
        let items = ["stages", "steps", "group", "monitor", "checklist"].iter().find_map(|key| match &node[*key] {
            Value::Object(inner) => ["steps", "probes", "items"].iter().find_map(|key| inner.get(*key)?.as_array()),
            inner => inner.as_array(),
        });
        let named = |item: &&Value| item["id"] == part || item["name"] == part;
        let nth = |items: &'a Vec<Value>| items.get(part.parse::<usize>().ok()?);
        node.get(part)
            .or_else(|| node.as_array().and_then(nth))
            .or_else(|| items.and_then(|items| items.iter().find(named).or_else(|| nth(items))))
    })
}

/// Every text and number in `node`, a line each.
fn text(node: &Value) -> String {
    match node {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Object(fields) => fields.values().map(text).collect(),
        other => format!("{other}\n"),
    }
}

fn holds(runbook: &Value, path: &str, wanted: &str) -> bool {
    at(runbook, path).is_some_and(|node| text(node).contains(wanted))
}

fn steps(node: &Value) -> Vec<&Value> {
    let own = [&node["stages"], &node["steps"], &node["group"]["steps"]];
    own.into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .flat_map(|inner| [vec![inner], steps(inner)].concat())
        .collect()
}

/// The expressions of a text, in order.
fn expressions(text: &str) -> Vec<&str> {
    let mut found: Vec<_> =
        text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::trim).collect();
    found.sort_unstable();
    found
}

fn is_prose(path: &[String]) -> bool {
    let field = path.iter().rev().find(|part| part.parse::<usize>().is_err()).map_or("", String::as_str);
    matches!(
        field,
        "title" | "guide" | "note" | "prompt" | "item" | "checklist" | "confirm" | "shell" | "notify" | "say" | "means"
    ) || (path[0] == "updates" && field == "text")
        || (path[0] == "contacts" && field == "name")
}

fn differences(english: &Value, chinese: &Value, path: &mut Vec<String>, found: &mut Vec<String>) {
    let keys = |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect::<Vec<_>>();
    match (english, chinese) {
        (Value::Object(one), Value::Object(other)) if keys(one) == keys(other) => {
            for (key, value) in one {
                path.push(key.clone());
                differences(value, &other[key], path, found);
                path.pop();
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (value, other)) in one.iter().zip(other).enumerate() {
                path.push(index.to_string());
                differences(value, other, path, found);
                path.pop();
            }
        }
        (Value::String(one), Value::String(other)) if is_prose(path) => {
            if one == other {
                found.push(format!("{}: not translated", path.join("/")));
            }
            if expressions(one) != expressions(other) {
                found.push(format!("{}: other values", path.join("/")));
            }
        }
        (one, other) if one == other => {}
        _ => found.push(path.join("/")),
    }
}

#[test]
fn both_languages_have_the_same_stages_steps_and_commands() {
    let mut found = Vec::new();
    differences(&parse(ENGLISH), &parse(CHINESE), &mut Vec::new(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_stages_are_the_eighteen_in_order() {
    let runbook = parse(ENGLISH);
    let stages = runbook["stages"].as_array().unwrap();
    assert_eq!(stages.iter().map(|stage| stage["id"].as_str().unwrap()).collect::<Vec<_>>(), STAGES);
    for stage in stages {
        assert!(stage["budget"].is_string(), "{} has no budget", stage["id"]);
        assert!(stage["guide"].is_string(), "{} has no guide", stage["id"]);
    }
    assert!(ENGLISH.starts_with("# yaml-language-server: $schema="));
    assert!(CHINESE.starts_with("# yaml-language-server: $schema="));
}

#[test]
fn every_command_and_threshold_of_the_procedure_is_there() {
    for runbook in [parse(ENGLISH), parse(CHINESE)] {
        for (path, wanted) in COMMANDS {
            for wanted in *wanted {
                assert!(holds(&runbook, path, wanted), "{path} has no {wanted}");
            }
        }
    }
}

#[test]
fn every_item_practice_and_reminder_of_the_procedure_is_there() {
    let (english, chinese) = (parse(ENGLISH), parse(CHINESE));
    let follow_up = FOLLOW_UP
        .iter()
        .flat_map(|(id, one, other)| ["owner", "date"].map(|what| (format!("follow-up/{id}-{what}"), *one, *other)));
    let words = WORDS.iter().map(|(path, one, other)| ((*path).to_owned(), *one, *other));
    for (path, one, other) in words.chain(follow_up) {
        assert!(holds(&english, &path, one), "{path} has no {one}");
        assert!(holds(&chinese, &path, other), "{path} has no {other}");
    }
}

#[test]
fn what_touches_production_is_marked_and_can_be_undone() {
    let runbook = parse(ENGLISH);
    // Nobody is on blue before the traffic is switched.
    assert_eq!(at(&runbook, "strategy/deploy-blue").unwrap()["affects"], "standby");
    let touching = ["deploy/switch", "deploy/rolling", "deploy/batches", "deploy/direct", "rollback/restore"];
    for path in touching {
        assert_eq!(at(&runbook, path).unwrap()["affects"], "production", "{path}");
    }
    for path in ["strategy/deploy-blue", "deploy/switch", "deploy/rolling", "deploy/batches/next", "deploy/direct"] {
        let undo = &at(&runbook, path).unwrap()["undo"]["run"];
        assert_eq!(undo, r#"./deploy-production.sh "$HOTFIX_ROLLBACK_TO""#, "{path}");
    }
    for path in ["deploy/checklist", "deploy/validate-hotfix", "rollback/validate"] {
        assert_eq!(at(&runbook, path).unwrap()["required"], true, "{path}");
    }
}

#[test]
fn values_reach_scripts_by_environment_only() {
    let runbook = parse(ENGLISH);
    for step in steps(&runbook) {
        for command in [&step["run"], &step["undo"]["run"]] {
            assert!(!command.to_string().contains("{{"), "{}: {command}", step["id"]);
        }
    }
}

#[test]
fn taken_as_built_in_it_is_what_the_check_makes_of_its_text() {
    for builtin in [BUILTIN_EN, BUILTIN_ZH] {
        let named = Source::Text { name: "it".into(), text: builtin.text.into() };
        let checked = load(&named, &builtin).unwrap();
        // Without its text it is what was read when the program was built.
        let known = load(&Source::Builtin, &Builtin { text: "", ..builtin }).unwrap();
        assert_eq!(known.runbook, checked.runbook);
        assert_eq!(known.frozen(), checked.frozen());
    }
}

//! The workflows.

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::workflow::{JoinSet, Semaphore};

/// How many shops report at the same time.
const AT_A_TIME: usize = 10;
/// How many shops one run asks, so that its history stays short.
const IN_A_RUN: u32 = 100;

pub struct Books;

#[activities]
impl Books {
    #[activity]
    pub async fn count(&self, shop: u32) -> activity::Result<u64> {
        Ok(u64::from(shop % 7))
    }
}

/// One shop's report.
#[derive(Default)]
pub struct ShopReport;

#[workflow]
impl ShopReport {
    #[run]
    pub async fn run(&self, shop: u32) -> workflow::Result<u64> {
        // Quick, and needed nowhere else: it runs within the workflow task.
        Ok(workflow::local_activity(Books::count, shop).start_to_close(secs(5)).await?)
    }
}

/// What one run of the report hands to the next.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Progress {
    shops: u32,
    next: u32,
    total: u64,
}

impl Progress {
    pub fn of(shops: u32) -> Self {
        Self { shops, next: 0, total: 0 }
    }
}

/// The report over all shops.
#[derive(Default)]
pub struct Report;

#[workflow]
impl Report {
    #[run]
    pub async fn run(&self, progress: Progress) -> workflow::Result<u64> {
        let end = progress.shops.min(progress.next + IN_A_RUN);
        let total = progress.total + ask(progress.next..end).await?;
        if !workflow::replay::is_replaying() {
            println!("report: {end} of {} shops", progress.shops);
        }
        if end == progress.shops {
            return Ok(total);
        }
        workflow::continue_as_new(Self::run, Progress { next: end, total, ..progress }).exit()
    }
}

async fn ask(shops: std::ops::Range<u32>) -> workflow::Result<u64> {
    let free = Rc::new(Semaphore::new(AT_A_TIME));
    let mut reports = JoinSet::new();
    for shop in shops {
        let free = Rc::clone(&free);
        let id = format!("{}-shop-{shop}", workflow::info().workflow_id());
        reports.spawn(async move {
            let _free = free.acquire().await?;
            workflow::Result::Ok(workflow::child(ShopReport::run, shop).id(id).await?)
        });
    }
    let mut total = 0;
    while let Some(report) = reports.join_next().await? {
        total += report?;
    }
    Ok(total)
}
